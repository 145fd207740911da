import assert from "node:assert/strict";
import { test } from "node:test";
import { fillWeights, type Load, LoadWeight, type LoadWeightConfig } from "./load-weight.ts";

const config: LoadWeightConfig = {
  blackoutPeriodMs: 10_000,
  weightExpirationPeriodMs: 180_000,
  errorUtilizationPenalty: 1,
};
const believed: LoadWeightConfig = { ...config, blackoutPeriodMs: 0 };

const load = (part: Partial<Load>): Load => ({
  applicationUtilization: 0,
  cpuUtilization: 0,
  rpsFractional: 0,
  eps: 0,
  ...part,
});

/** The weight after one report, without blackout. */
function weightOf(part: Partial<Load>, errorUtilizationPenalty = 1): number | undefined {
  const weight = new LoadWeight();
  weight.report(load(part), { errorUtilizationPenalty }, 0);
  return weight.at(0, believed);
}

test("the weight is calls per second divided by utilization, the application's if it is given, else the CPU's", () => {
  for (const [part, want] of [
    [{ rpsFractional: 100, cpuUtilization: 0.5 }, 200],
    [{ rpsFractional: 100, applicationUtilization: 0.25, cpuUtilization: 0.5 }, 400],
    [{ rpsFractional: 100, applicationUtilization: -1, cpuUtilization: 0.5 }, 200],
    [{ rpsFractional: 0.5, applicationUtilization: 2 }, 0.25],
    [{ rpsFractional: 1e9, cpuUtilization: 0.5 }, 2e9],
  ] as const) {
    assert.equal(weightOf(part), want, JSON.stringify(part));
  }
});

test("errors count as utilization, times the penalty", () => {
  for (const [penalty, eps, want] of [
    [1, 25, 100 / 0.75],
    [2, 25, 100],
    [0, 25, 200],
    [1, 100, 100 / 1.5],
    [1, -100, 200],
  ] as const) {
    assert.equal(weightOf({ rpsFractional: 100, cpuUtilization: 0.5, eps }, penalty), want, `${penalty} × ${eps}`);
  }
});

test("a report without calls or utilization, or with an invalid weight, is ignored", () => {
  for (const part of [
    {},
    { rpsFractional: 100 },
    { cpuUtilization: 0.5 },
    { rpsFractional: -1, cpuUtilization: 0.5 },
    { rpsFractional: Number.NaN, cpuUtilization: 0.5 },
    { rpsFractional: 100, cpuUtilization: Number.NaN },
    { rpsFractional: Number.POSITIVE_INFINITY, cpuUtilization: 0.5 },
    { rpsFractional: 100, cpuUtilization: Number.POSITIVE_INFINITY },
    { rpsFractional: 100, cpuUtilization: 0.5, eps: Number.NaN },
    { rpsFractional: 1e300, cpuUtilization: 1e-10 },
  ]) {
    assert.equal(weightOf(part), undefined, JSON.stringify(part));
  }
});

test("an empty report keeps the last weight and its age", () => {
  const weight = new LoadWeight();
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 0);
  weight.report(load({ cpuUtilization: 0.5 }), config, 100_000);
  assert.equal(weight.at(179_999, believed), 200);
  assert.equal(weight.at(180_000, believed), undefined);
});

test("the newest report counts", () => {
  const weight = new LoadWeight();
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 0);
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.25 }), config, 1);
  assert.equal(weight.at(1, believed), 400);
});

test("reports count when the first of them is as old as the blackout period", () => {
  const weight = new LoadWeight();
  assert.equal(weight.at(0, config), undefined);
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 5_000);
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.25 }), config, 14_000);
  assert.equal(weight.at(14_999, config), undefined);
  assert.equal(weight.at(15_000, config), 400);
});

test("a report counts until it expires, and after that the blackout starts again", () => {
  const weight = new LoadWeight();
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 0);
  assert.equal(weight.at(179_999, config), 200);
  assert.equal(weight.at(180_000, config), undefined);
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 200_000);
  assert.equal(weight.at(209_999, config), undefined);
  assert.equal(weight.at(210_000, config), 200);
});

test("after a reset the blackout starts again with the first valid report", () => {
  const weight = new LoadWeight();
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 0);
  weight.reset();
  assert.equal(weight.at(20_000, config), undefined);
  assert.equal(
    weight.at(20_000, believed),
    undefined,
    "also without a blackout period: it is the weight of another process",
  );
  weight.report(load({ cpuUtilization: 0.5 }), config, 20_000);
  weight.report(load({ rpsFractional: 100, cpuUtilization: 0.5 }), config, 30_000);
  assert.equal(weight.at(39_999, config), undefined);
  assert.equal(weight.at(40_000, config), 200);
});

test("an endpoint that does not report gets the mean of the others; with fewer than two reports there are no weights", () => {
  for (const [weights, want] of [
    [[], undefined],
    [[undefined, undefined], undefined],
    [[undefined, 5, undefined], undefined],
    [
      [1, 3],
      [1, 3],
    ],
    [
      [undefined, 100, undefined, 300],
      [200, 100, 200, 300],
    ],
  ] as const) {
    const got = fillWeights(weights);
    assert.deepEqual(got && [...got], want, `${weights}`);
  }
});
