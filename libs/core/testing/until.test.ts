import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./index.ts";

test("a condition is checked at once, and after each turn of the event loop", async () => {
  await until(() => true, "what holds already");
  let turns = 0;
  const count = () => {
    turns += 1;
    if (turns < 20) setImmediate(count);
  };
  setImmediate(count);
  const seen: number[] = [];
  await until(() => seen.push(turns) > 0 && turns === 20, "20 turns");
  assert.deepEqual(new Set(seen).size, 21, `${seen}`);
});

test("a longer wait does not keep the processor busy", async () => {
  let isOver = false;
  let checks = 0;
  setTimeout(() => {
    isOver = true;
  }, 200);
  const startMs = performance.now();
  await until(() => {
    checks += 1;
    return isOver;
  }, "the end of 200 ms");
  const mostChecks = 110 + performance.now() - startMs; // the first turns, and one a millisecond
  assert.ok(checks <= mostChecks, `want at most ${mostChecks}, got ${checks}`);
});

test("a wait passes while the timers are a test's own", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let checks = 0;
  await until(() => ++checks > 120, "120 checks");
});
