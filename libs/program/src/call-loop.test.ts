import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { runCallLoop } from "./call-loop.ts";

/** How the call in flight ends. */
type Outcome = { readonly pod: string } | { readonly reason: unknown };

/** A loop whose calls end when the test ends them. */
function startLoop(options: { count?: number; intervalMs?: number } = {}) {
  const clock = new ManualClock();
  const controller = new AbortController();
  const lines: string[] = [];
  const state = { calls: 0, inFlight: 0, mostInFlight: 0 };
  let called = Promise.withResolvers<(outcome: Outcome) => void>();
  const done = runCallLoop({
    async call() {
      state.calls += 1;
      state.inFlight += 1;
      state.mostInFlight = Math.max(state.mostInFlight, state.inFlight);
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      called.resolve(resolve);
      const outcome = await promise;
      state.inFlight -= 1;
      if ("reason" in outcome) throw outcome.reason;
      return outcome.pod;
    },
    intervalMs: options.intervalMs ?? 1_000,
    count: options.count ?? 0,
    signal: controller.signal,
    clock,
    writeCall: (line) => lines.push(line),
    writeError: (line) => lines.push(line),
  });
  const answer = async (outcome: Outcome) => {
    const end = await called.promise;
    called = Promise.withResolvers();
    end(outcome);
  };
  /** Ends the call in flight, waits for the pause after it and moves the clock past it. */
  const turn = async (outcome: Outcome) => {
    await answer(outcome);
    await clock.asleep();
    clock.advance(options.intervalMs ?? 1_000);
  };
  return { clock, lines, state, done, answer, turn, abort: () => controller.abort() };
}

test("an error has no number and does not stop the loop", async () => {
  const loop = startLoop({ count: 4 });
  await loop.turn({ pod: "a" });
  await loop.turn({ reason: new Error("no answer") });
  await loop.turn({ reason: new Error("no answer") });
  await loop.answer({ pod: "b" });
  assert.deepEqual(await loop.done, { succeeded: 2, failed: 2 });
  assert.deepEqual(loop.lines, ["#1: a", "Error: no answer", "Error: no answer", "#2: b"]);
});

test("the count includes failures, and no pause follows the last call", async () => {
  const loop = startLoop({ count: 2 });
  await loop.turn({ reason: new Error("x") });
  await loop.answer({ reason: new Error("y") });
  assert.deepEqual(await loop.done, { succeeded: 0, failed: 2 });
  assert.deepEqual([loop.state.calls, loop.clock.sleeping], [2, 0]);
});

test("a count of 0 has no limit", async () => {
  const loop = startLoop({ count: 0 });
  for (let n = 1; n <= 50; n++) await loop.turn({ pod: "a" });
  loop.abort();
  await loop.answer({ pod: "a" });
  assert.deepEqual(await loop.done, { succeeded: 51, failed: 0 });
  assert.deepEqual([loop.lines.at(-1), loop.state.mostInFlight], ["#51: a", 1]);
});

test("an error is one printable line, whatever a call rejects with", async () => {
  for (const [reason, want] of [
    [new Error("two\nlines"), "Error: two lines"],
    [new Error("three \r\n\n  lines"), "Error: three lines"],
    [new TypeError(""), "Error: TypeError"],
    ["text", "Error: text"],
    [new Error("\u001b[2Jgone"), "Error: \\x1b[2Jgone"],
    [undefined, "Error: undefined"],
    [null, "Error: null"],
  ] as const) {
    const loop = startLoop({ count: 1 });
    await loop.answer({ reason });
    await loop.done;
    assert.deepEqual(loop.lines, [want]);
  }
});

test("the pause starts when the call has ended, and one call is in flight at a time", async () => {
  const loop = startLoop({ intervalMs: 1_000 });
  loop.clock.advance(10_000); // a slow call, ten intervals long
  assert.deepEqual([loop.state.calls, loop.clock.sleeping], [1, 0]);
  await loop.answer({ pod: "a" });
  await loop.clock.asleep();
  loop.clock.advance(999);
  assert.deepEqual([loop.state.calls, loop.clock.sleeping], [1, 1], "called before the pause was over");
  loop.clock.advance(1);
  loop.abort();
  await loop.done;
});

test("an abort during a call lets it end and starts no other", async () => {
  const loop = startLoop();
  loop.abort();
  assert.deepEqual([loop.state.inFlight, loop.lines], [1, []]);
  await loop.answer({ pod: "a" });
  assert.deepEqual(await loop.done, { succeeded: 1, failed: 0 });
  assert.deepEqual([loop.lines, loop.state.calls, loop.clock.sleeping], [["#1: a"], 1, 0]);
});

test("an abort during the pause ends it at once", async () => {
  const loop = startLoop();
  await loop.answer({ pod: "a" });
  await loop.clock.asleep();
  loop.abort();
  assert.deepEqual(await loop.done, { succeeded: 1, failed: 0 });
  assert.deepEqual([loop.state.calls, loop.clock.sleeping], [1, 0]);
});

test("a loop that is aborted before it starts makes no call", async () => {
  const result = await runCallLoop({
    call: () => assert.fail("called"),
    intervalMs: 0,
    count: 0,
    signal: AbortSignal.abort(),
    clock: new ManualClock(),
    writeCall: assert.fail,
    writeError: assert.fail,
  });
  assert.deepEqual(result, { succeeded: 0, failed: 0 });
});

test("concurrency is the number of calls in flight, and the count is of all calls together", async () => {
  const waiting: (() => void)[] = [];
  const lines: string[] = [];
  let most = 0;
  const done = runCallLoop({
    call: () =>
      new Promise((resolve) => {
        waiting.push(() => resolve("a"));
        most = Math.max(most, waiting.length);
      }),
    intervalMs: 0,
    count: 7,
    concurrency: 3,
    signal: new AbortController().signal,
    clock: { now: () => 0, sleep: async () => {} },
    writeCall: (line) => lines.push(line),
    writeError: (line) => lines.push(line),
  });
  for (let ended = 0; ended < 7; ended++) {
    waiting.shift()?.();
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
  assert.deepEqual(await done, { succeeded: 7, failed: 0 });
  assert.deepEqual([most, lines.length, waiting.length], [3, 7, 0], "most at once, lines, calls left");
});
