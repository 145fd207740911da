import assert from "node:assert/strict";
import { test } from "node:test";
import { PointSeries } from "./point-series.ts";

test("points after a new connection are not doubled, and two minutes are kept", () => {
  const series = new PointSeries();
  series.replace([{ atS: 1, callsPerSecond: [5] }]);
  series.add({ atS: 1, callsPerSecond: [5] });
  series.add({ atS: 2, callsPerSecond: [6, 7] });
  assert.deepEqual(series.columns(2), [
    [1, 2],
    [5, 6],
    [null, 7],
  ]);
  for (let atS = 3; atS < 200; atS++) series.add({ atS, callsPerSecond: [1] });
  assert.equal(series.columns(1)[0].length, 120);
});

test("pods and scenes are marked in the chart, connections are not", () => {
  const series = new PointSeries();
  series.setHappenings([
    { id: 1, atMs: 1_500, kind: "pod", text: "AB server-28 is ready" },
    { id: 2, atMs: 2_000, kind: "connection", text: "x opens connection 1" },
    { id: 3, atMs: 2_500, kind: "scene", text: "kill" },
  ]);
  assert.deepEqual(series.marks, [
    { atS: 1.5, text: "AB" },
    { atS: 2.5, text: "▶" },
  ]);
});
