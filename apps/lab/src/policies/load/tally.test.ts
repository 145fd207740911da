import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMeasured } from "./protocol.ts";
import { quantile, Tally } from "./tally.ts";

test("a quantile is the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  for (const [values, q, want] of [
    [hundred, 0.5, 50],
    [hundred, 0.99, 99],
    [hundred, 1, 100],
    [[7], 0.01, 7],
    [[3, 1, 2], 0.5, 2],
    [[2, 1], 0.5, 1],
    [[], 0.5, null],
  ] as const) {
    assert.equal(quantile(values, q), want, `${q} of ${values}`);
  }
});

test("calls are counted by server and status, and latencies are of successful calls", () => {
  const tally = new Tally();
  tally.record({ peer: "a", status: "OK", latencyMs: 10, lagMs: 1 });
  tally.record({ peer: "a", status: "OK", latencyMs: 20, lagMs: 2 });
  tally.record({ peer: "b", status: "DEADLINE_EXCEEDED", latencyMs: 300, lagMs: 3 });
  const want = {
    calls: 3,
    perPeer: { a: 2, b: 1 },
    statuses: { OK: 2, DEADLINE_EXCEEDED: 1 },
    p50Ms: 10,
    p99Ms: 20,
    lagP99Ms: 3,
  };
  assert.deepEqual(tally.measured(), want);
  assert.deepEqual(parseMeasured(JSON.stringify(tally.measured())), want);
});

test("without a successful call there is no latency", () => {
  const { calls, p50Ms, p99Ms } = new Tally().measured();
  assert.deepEqual([calls, p50Ms, p99Ms], [0, null, null]);
});

test("parseMeasured returns undefined for any other line", () => {
  for (const line of ["connected", "", "{}", "(node:1) Warning: x"]) assert.equal(parseMeasured(line), undefined, line);
});
