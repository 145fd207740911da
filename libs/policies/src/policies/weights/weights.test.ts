import assert from "node:assert/strict";
import { test } from "node:test";
import type { Child } from "../../balancer/child.ts";
import { Fields } from "../../config/fields.ts";
import {
  configuredWeight,
  currentWeights,
  parseWeightConfig,
  type SlowStart,
  type WeightConfig,
  warmth,
  weightRefreshMs,
} from "./weights.ts";

interface Facts {
  readonly id?: string;
  readonly address?: string;
  readonly weight?: number;
  readonly metadata?: Record<string, string>;
  readonly readyAtMs?: number | undefined;
}

/** The part of a child that the functions read. */
function child({ id = "id", address = "10.0.0.1:80", weight = 1, metadata = {}, readyAtMs = 0 }: Facts = {}): Child {
  return { readyAtMs, info: { id, address, weight, metadata, zone: undefined, forZones: [] } } as unknown as Child;
}

/** A child that takes calls though outlier_detection has ejected it. */
const ejected = { ...child(), readyAtMs: undefined } as Child;

const parse = (json: object): WeightConfig => parseWeightConfig(new Fields(json));
const slowStart: SlowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };

test("a configuration has defaults", () => {
  assert.deepEqual(parse({}), { weights: new Map(), weightKey: undefined, slowStart: undefined, panicThreshold: 0 });
  assert.deepEqual(parse({ slow_start: {} }).slowStart, { windowMs: 30_000, aggression: 1, minWeightPercent: 10 });
  assert.deepEqual(parse({ weights: { a: 0, b: 2.5 }, weight_key: "share", panicThreshold: 40 }), {
    weights: new Map([
      ["a", 0],
      ["b", 2.5],
    ]),
    weightKey: "share",
    slowStart: undefined,
    panicThreshold: 40,
  });
});

test("hash policies have no slow start", () => {
  const fields = new Fields({ slowStart: {} });
  assert.equal(parseWeightConfig(fields, { hasSlowStart: false }).slowStart, undefined);
  assert.throws(() => fields.end(), {
    message: /^unknown field slowStart; known fields: panicThreshold, weightKey, weights$/,
  });
});

test("a weight in the configuration comes first: by id, then address, host, pod name", () => {
  const one = child({ id: "a", address: "10.0.0.1:80", weight: 9, metadata: { podName: "pod" } });
  for (const [weights, want] of [
    [{ a: 1, "10.0.0.1:80": 2, "10.0.0.1": 3, pod: 4 }, 1],
    [{ "10.0.0.1:80": 2, "10.0.0.1": 3, pod: 4 }, 2],
    [{ "10.0.0.1": 3, pod: 4 }, 3],
    [{ pod: 4 }, 4],
    [{ a: 0 }, 0],
    [{ other: 4 }, 9],
  ] as const) {
    assert.equal(configuredWeight(one, parse({ weights })), want, JSON.stringify(weights));
  }
  const v6 = child({ address: "[fd00::1]:80" });
  assert.equal(configuredWeight(v6, parse({ weights: { "[fd00::1]": 5 } })), 5);
  assert.equal(
    configuredWeight(child(), parse({ weights: { "": 5 } })),
    1,
    "an endpoint without a pod name does not match the empty name",
  );
});

test("without a configured weight, discovery's or with weightKey the metadata's applies; an invalid one counts as 1", () => {
  const keyed = parse({ weightKey: "share" });
  for (const [info, config, want] of [
    [{ weight: 7 }, parse({}), 7],
    [{ weight: 0 }, parse({}), 0],
    [{ weight: -1 }, parse({}), 1],
    [{ weight: Number.NaN }, parse({}), 1],
    [{ weight: 1e300 }, parse({}), 2 ** 32 - 1],
    [{ weight: 7, metadata: { share: "2.5" } }, keyed, 2.5],
    [{ weight: 7, metadata: { share: " 3 " } }, keyed, 3],
    [{ weight: 7, metadata: { share: "0" } }, keyed, 0],
    [{ weight: 7, metadata: { share: "" } }, keyed, 1],
    [{ weight: 7, metadata: { share: " " } }, keyed, 1],
    [{ weight: 7, metadata: { share: "-1" } }, keyed, 1],
    [{ weight: 7, metadata: { share: "heavy" } }, keyed, 1],
    [{ weight: 7, metadata: { share: "Infinity" } }, keyed, 2 ** 32 - 1],
    [{ weight: 7 }, keyed, 1],
  ] as const) {
    assert.equal(configuredWeight(child(info), config), want, JSON.stringify(info));
  }
});

test("an inherited property is not metadata, and a value that is not a string is not a weight", () => {
  for (const weightKey of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assert.equal(configuredWeight(child({ weight: 7 }), parse({ weightKey })), 1, weightKey);
  }
  const own = JSON.parse('{"__proto__": "4", "constructor": "3", "share": 5}');
  const got = ["__proto__", "constructor", "share"].map((weightKey) =>
    configuredWeight(child({ metadata: own }), parse({ weightKey })),
  );
  assert.deepEqual(got, [4, 3, 1]);
  const inherited = Object.create({ podName: "api" });
  assert.equal(
    configuredWeight(child({ metadata: inherited }), parse({ weights: { api: 9 } })),
    1,
    "a pod name is its own",
  );
});

test("warmth grows from the minimum weight to 1 over the window, in the shape of the aggression", () => {
  for (const [sinceMs, part, want] of [
    [0, {}, 0.1],
    [500, {}, 0.1],
    [2_000, {}, 0.2],
    [9_999, {}, 0.9999],
    [10_000, {}, 1],
    [99_999, {}, 1],
    [2_500, { aggression: 2 }, 0.5],
    [5_000, { aggression: 0.5 }, 0.25],
    [5_000, { minWeightPercent: 60 }, 0.6],
    [0, { minWeightPercent: 0 }, 0.0001],
    [5_000, { minWeightPercent: 100 }, 1],
  ] as const) {
    assert.equal(warmth(sinceMs, { ...slowStart, ...part }), want, `${sinceMs} ms, ${JSON.stringify(part)}`);
  }
});

test("current weights are the configured ones, reduced by slow start", () => {
  const children = [child({ weight: 2, readyAtMs: 0 }), child({ weight: 4, readyAtMs: 5_000 }), ejected];
  assert.deepEqual([...currentWeights(children, parse({}), 7_000)], [2, 4, 1]);
  assert.deepEqual(
    [...currentWeights(children, { ...parse({}), slowStart }, 7_000)],
    [1.4, 0.8, 1],
    "an ejected one is warm",
  );
  assert.deepEqual([...currentWeights(children, { ...parse({}), slowStart }, 20_000)], [2, 4, 1]);
});

test("weights that are all 0 count as 1 each", () => {
  const children = [child({ weight: 0 }), child({ weight: 0 })];
  assert.deepEqual([...currentWeights(children, parse({}), 0)], [1, 1]);
  assert.deepEqual([...currentWeights([...children, child({ weight: 3 })], parse({}), 0)], [0, 0, 3]);
});

test("weights are recomputed while an endpoint warms up, 50 times in a window but not every few milliseconds", () => {
  const config = { ...parse({}), slowStart };
  const children = [child({ readyAtMs: 0 }), child({ readyAtMs: 5_000 }), ejected];
  for (const [of, nowMs, want] of [
    [config, 5_000, 200],
    [config, 14_999, 200],
    [config, 15_000, undefined],
    [{ ...config, slowStart: { ...slowStart, windowMs: 100_000 } }, 5_000, 2_000],
    [{ ...config, slowStart: { ...slowStart, windowMs: 2_000 } }, 5_000, 100],
    [parse({}), 5_000, undefined],
  ] as const) {
    assert.equal(weightRefreshMs(children, of, nowMs), want, `${of.slowStart?.windowMs} at ${nowMs}`);
  }
});
