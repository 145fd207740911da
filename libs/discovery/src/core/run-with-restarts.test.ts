import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft, ManualClock, turn } from "@grpc-lb/core/testing";
import { DiscoveryError } from "./discovery-error.ts";
import { type Restarts, runWithRestarts } from "./run-with-restarts.ts";

/** Records the pauses, and ends each at once. */
class PauseClock extends ManualClock {
  readonly pauses: number[] = [];
  readonly options: unknown[] = [];

  override sleep(ms: number, _signal?: AbortSignal, options?: { readonly background?: boolean }): Promise<void> {
    this.pauses.push(ms);
    this.options.push(options);
    this.advance(ms);
    return turn();
  }
}

/** Makes as many attempts as there are steps. */
async function run(steps: readonly Restarts["attempt"][], random = () => 0.5) {
  const clock = new PauseClock();
  const ending = new AbortController();
  const failures: unknown[] = [];
  let attempts = 0;
  await runWithRestarts(
    {
      async attempt(onHealthy, signal) {
        const step = steps[attempts++];
        if (step) return step(onHealthy, signal);
        ending.abort();
      },
      onFailure(cause) {
        failures.push(cause);
        return cause as DiscoveryError;
      },
      clock,
      random,
    },
    ending.signal,
  );
  return { pauses: clock.pauses, failures, attempts, clock };
}

const times = (count: number, step: Restarts["attempt"]) => Array.from({ length: count }, () => step);
const failWith =
  (code: "permissionDenied" | "unavailable", retryAfterMs?: number): Restarts["attempt"] =>
  async () => {
    throw new DiscoveryError(code, "refused", { retryAfterMs });
  };
const fail = failWith("unavailable");

test("failures are followed by pauses up to 200 ms, doubled by each to 3 s, with full jitter", async () => {
  const { pauses, failures, clock } = await run(times(8, fail));
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_500, 1_500, 1_500, 1_500]);
  assert.equal(failures.length, 8);
  assert.deepEqual(clock.options[0], { background: true });
  assert.deepEqual((await run(times(3, fail), () => 0)).pauses, [0, 0, 0]);
});

test("a caller that is denied pauses longer: up to 1 s, doubled to 30 s", async () => {
  const { pauses } = await run(times(7, failWith("permissionDenied")));
  assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test("denials and other failures have a backoff each", async () => {
  const { pauses } = await run([fail, failWith("permissionDenied"), fail, failWith("permissionDenied")]);
  assert.deepEqual(pauses, [100, 500, 200, 1_000]);
});

test("Retry-After is obeyed, with the jitter on top", async () => {
  const { pauses } = await run([failWith("unavailable", 7_000), failWith("permissionDenied", 3_000)]);
  assert.deepEqual(pauses, [7_100, 3_500]);
});

test("an attempt that returns is begun again at once; the second brief one in a row pauses, and each after it", async () => {
  const brief: Restarts["attempt"] = async (onHealthy) => onHealthy();
  assert.deepEqual((await run(times(4, brief))).pauses, [100, 200, 400]);
  assert.deepEqual((await run(times(4, async () => {}))).pauses, [100, 200, 400], "also one that was never healthy");
});

for (const [ms, want] of [
  [1_000, [100, 200, 100]],
  [999, [100, 200, 400, 800]],
] as const) {
  test(`an attempt that was healthy for ${ms} ms ${ms < 1_000 ? "does not reset" : "resets"} the pauses`, async () => {
    const clock = new PauseClock();
    const ending = new AbortController();
    let attempts = 0;
    await runWithRestarts(
      {
        async attempt(onHealthy) {
          attempts += 1;
          if (attempts === 5) return ending.abort();
          if (attempts !== 3) return fail(onHealthy, ending.signal);
          clock.advance(5_000); // connecting is not being healthy
          onHealthy();
          clock.advance(ms);
          onHealthy(); // a later call does not count
        },
        onFailure: (cause) => cause as DiscoveryError,
        clock,
        random: () => 0.5,
      },
      ending.signal,
    );
    assert.deepEqual(clock.pauses, want);
  });
}

test("a steady attempt resets the pauses of denials too, and is followed by the next at once", async () => {
  const denied = failWith("permissionDenied");
  const clock = new PauseClock();
  const ending = new AbortController();
  const steady: Restarts["attempt"] = async (onHealthy) => {
    onHealthy();
    clock.advance(1_000);
  };
  const steps = [denied, denied, steady, steady, denied, async () => ending.abort()];
  let n = 0;
  await runWithRestarts(
    {
      attempt: (...args) => (steps[n++] as Restarts["attempt"])(...args),
      onFailure: (cause) => cause as DiscoveryError,
      clock,
      random: () => 0.5,
    },
    ending.signal,
  );
  assert.deepEqual(clock.pauses, [500, 1_000, 500]);
});

test("an abort ends an attempt without a failure, and a pause at once; no timer is left", async () => {
  for (const where of ["attempt", "pause", "before"] as const) {
    const clock = new ManualClock();
    const ending = new AbortController();
    let [attempts, failures] = [0, 0];
    if (where === "before") ending.abort();
    const running = runWithRestarts(
      {
        async attempt(_, signal) {
          attempts += 1;
          if (where === "attempt") {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            throw new Error("aborted");
          }
          throw new Error("away");
        },
        onFailure() {
          failures += 1;
          return new DiscoveryError("unavailable", "away");
        },
        clock,
        random: () => 0.5,
      },
      ending.signal,
    );
    await turn();
    ending.abort();
    await running;
    assert.deepEqual([where, attempts, failures], [where, where === "before" ? 0 : 1, where === "pause" ? 1 : 0]);
    assert.equal(clock.sleeping, 0);
  }
  await assertNothingLeft();
});
