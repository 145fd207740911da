import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { DiscoveryError } from "../core/discovery-error.ts";
import { runTurns, type Turns } from "./turns.ts";

/** Notes what is slept. */
class NotingClock extends ManualClock {
  readonly slept: number[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    return super.sleep(ms, signal);
  }
}

async function run(count: number, turn: Turns["turn"]): Promise<readonly number[]> {
  const clock = new NotingClock();
  const ending = new AbortController();
  let turns = 0;
  const running = runTurns(
    {
      turn: async (onBegun, signal) => {
        turns += 1;
        if (turns >= count) ending.abort();
        await turn(onBegun, signal);
      },
      onFailure: (cause) => cause as DiscoveryError,
      clock,
      random: () => 0.5,
    },
    ending.signal,
  );
  while (!ending.signal.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(30_000);
    assert.ok(turns <= clock.slept.length + 2, `${turns} turns, and only ${clock.slept.length} pauses`);
  }
  await running;
  return clock.slept;
}

test("a turn that ends well is followed by the next at once, but not by one after the other without a pause", async () => {
  assert.deepEqual(await run(5, async (onBegun) => onBegun()), [100, 200, 400]);
});

test("whoever is denied asks less often than whoever finds nobody", async () => {
  const failWith = (code: "permissionDenied" | "unavailable") => () => Promise.reject(new DiscoveryError(code, "no"));
  assert.deepEqual(await run(4, failWith("unavailable")), [100, 200, 400]);
  assert.deepEqual(await run(4, failWith("permissionDenied")), [500, 1_000, 2_000]);
});
