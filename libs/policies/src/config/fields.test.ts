import assert from "node:assert/strict";
import { test } from "node:test";
import { registerPolicies } from "../registration/register.ts";
import { Fields } from "./fields.ts";

registerPolicies();

/** Reads one field. */
type Read = (fields: Fields) => unknown;

const rightValues: readonly [string, object, Read, unknown][] = [
  ["a number", { share: 0.5 }, (f) => f.number("share", 1), 0.5],
  ["an absent number", {}, (f) => f.number("share", 1), 1],
  ["null, which is absent in protobuf's JSON", { share: null }, (f) => f.number("share", 1), 1],
  ["a number at its bounds", { share: 0 }, (f) => f.number("share", 1, { min: 0, max: 1 }), 0],
  ["a fallback out of bounds", {}, (f) => f.number("share", -1, { min: 0 }), -1],
  ["an integer", { choiceCount: 3 }, (f) => f.integer("choiceCount", 2, { min: 2 }), 3],
  ["an absent integer", {}, (f) => f.integer("choiceCount", 2, { min: 2 }), 2],
  ["the other spelling", { choice_count: 3 }, (f) => f.integer("choiceCount", 2), 3],
  ["the other spelling of a long name", { min_weight_percent: 3 }, (f) => f.number("minWeightPercent", 2), 3],
  ["a duration", { window: "1.5s" }, (f) => f.duration("window", 10), 1_500],
  ["a duration in milliseconds", { window: "300ms" }, (f) => f.duration("window", 10), 300],
  ["a number as protobuf's JSON writes 64 bits", { share: "1.5e3" }, (f) => f.number("share", 1), 1_500],
  ["an integer as protobuf's JSON writes 64 bits", { choiceCount: "3" }, (f) => f.integer("choiceCount", 2), 3],
  ["a duration as grpc-js writes it", { window: { seconds: "1", nanos: 5e8 } }, (f) => f.duration("window", 1), 1_500],
  ["an absent duration", {}, (f) => f.duration("window", 10), 10],
  ["a flag", { isOn: false }, (f) => f.flag("isOn", true), false],
  ["an absent flag", {}, (f) => f.flag("isOn", true), true],
  ["a text", { weightKey: "w" }, (f) => f.text("weightKey"), "w"],
  ["an absent text", {}, (f) => f.text("weightKey"), undefined],
  ["a choice", { source: "b" }, (f) => f.choice("source", ["a", "b"], "a"), "b"],
  ["an absent choice", {}, (f) => f.choice("source", ["a", "b"], "a"), "a"],
  [
    "numbers",
    { weights: { "10.0.0.1:80": 2, __proto__x: 0 } },
    (f) => [...f.numbers("weights", { min: 0 })],
    [
      ["10.0.0.1:80", 2],
      ["__proto__x", 0],
    ],
  ],
  ["absent numbers", {}, (f) => [...f.numbers("weights")], []],
  [
    "a part",
    { slowStart: { window: "1s" } },
    (f) => f.object("slowStart", (part) => part.duration("window", 2)),
    1_000,
  ],
  [
    "a part in the other spelling",
    { slow_start: {} },
    (f) => f.object("slowStart", (part) => part.duration("window", 2)),
    2,
  ],
  ["an absent part", {}, (f) => f.object("slowStart", () => 1), undefined],
  [
    "a policy",
    { childPolicy: [{ random: {} }] },
    (f) => f.policy("childPolicy", { pick_first: {} }).getLoadBalancerName(),
    "random",
  ],
  [
    "the first known policy",
    { childPolicy: [{ unregistered: {} }, { toString: {} }, { least_request: {} }, { random: {} }] },
    (f) => f.policy("childPolicy", { pick_first: {} }).getLoadBalancerName(),
    "least_request",
  ],
  ["an absent policy", {}, (f) => f.policy("childPolicy", { random: {} }).getLoadBalancerName(), "random"],
];

for (const [what, json, read, want] of rightValues) {
  test(`takes ${what}`, () => {
    const fields = new Fields(json);
    assert.deepEqual(read(fields), want);
    fields.end();
  });
}

const wrongValues: readonly [unknown, Read, string][] = [
  [{ share: "1x" }, (f) => f.number("share", 1), 'share must be a number, got "1x"'],
  [{ share: "" }, (f) => f.number("share", 1), 'share must be a number, got ""'],
  [{ share: "0x10" }, (f) => f.number("share", 1), 'share must be a number, got "0x10"'],
  [{ share: Number.NaN }, (f) => f.number("share", 1), "share must be a number, got NaN"],
  [{ share: 1 / 0 }, (f) => f.number("share", 1), "share must be a number, got Infinity"],
  [{ share: 1n }, (f) => f.number("share", 1), "share must be a number, got 1"],
  [{ share: -1 }, (f) => f.number("share", 1, { min: 0 }), "share must be a number >= 0, got -1"],
  [{ share: 2 }, (f) => f.number("share", 1, { max: 1 }), "share must be a number <= 1, got 2"],
  [{ share: 2 }, (f) => f.number("share", 1, { min: 0, max: 1 }), "share must be a number from 0 to 1, got 2"],
  [{ share: 0 }, (f) => f.number("share", 1, { min: 0, isMinExcluded: true }), "share must be a number > 0, got 0"],
  [
    { share: 0 },
    (f) => f.number("share", 1, { min: 0, max: 1, isMinExcluded: true }),
    "share must be a number > 0 and <= 1, got 0",
  ],
  [{ choiceCount: 2.5 }, (f) => f.integer("choiceCount", 2), "choiceCount must be an integer, got 2.5"],
  [{ choiceCount: "2.5" }, (f) => f.integer("choiceCount", 2), 'choiceCount must be an integer, got "2.5"'],
  [
    { choiceCount: 2 ** 53 },
    (f) => f.integer("choiceCount", 2),
    "choiceCount must be an integer, got 9007199254740992",
  ],
  [{ choice_count: 1 }, (f) => f.integer("choiceCount", 2, { min: 2 }), "choiceCount must be an integer >= 2, got 1"],
  [{ window: "10" }, (f) => f.duration("window", 1), 'window must be a duration such as 10s or 0.3s, got "10"'],
  [{ window: 0 }, (f) => f.duration("window", 1), "window must be a duration such as 10s or 0.3s, got 0"],
  [
    { window: { minutes: 1 } },
    (f) => f.duration("window", 1),
    'window must be a duration such as 10s or 0.3s, got {"minutes":1}',
  ],
  [
    { window: "0s" },
    (f) => f.duration("window", 1, { min: 1 }),
    'window must be a duration such as 10s or 0.3s >= 1ms, got "0s"',
  ],
  [{ isOn: 1 }, (f) => f.flag("isOn", true), "isOn must be true or false, got 1"],
  [{ weightKey: "" }, (f) => f.text("weightKey"), 'weightKey must be a non-empty string, got ""'],
  [{ weightKey: 7 }, (f) => f.text("weightKey"), "weightKey must be a non-empty string, got 7"],
  [{ source: "c" }, (f) => f.choice("source", ["a", "b"], "a"), 'source must be one of a, b, got "c"'],
  [{ weights: [1] }, (f) => f.numbers("weights"), "weights must be an object of numbers, got [1]"],
  [{ weights: { a: -1 } }, (f) => f.numbers("weights", { min: 0 }), 'weights["a"] must be a number >= 0, got -1'],
  [{ weights: { a: null } }, (f) => f.numbers("weights"), 'weights["a"] must be a number, got null'],
  [{ slowStart: [] }, (f) => f.object("slowStart", () => 1), "slowStart must be an object, got []"],
  [
    { slowStart: { window: 1 } },
    (f) => f.object("slowStart", (part) => part.duration("window", 2)),
    "slowStart.window must be a duration such as 10s or 0.3s, got 1",
  ],
  [
    { slowStart: { windw: 1 } },
    (f) => f.object("slowStart", (part) => part.duration("window", 2)),
    "unknown field slowStart.windw; known fields: window",
  ],
  [
    { childPolicy: {} },
    (f) => f.policy("childPolicy", { random: {} }),
    'childPolicy must be a list of {"policy": {…}}, got {}',
  ],
  [
    { childPolicy: [] },
    (f) => f.policy("childPolicy", { random: {} }),
    'childPolicy must be a list of {"policy": {…}}, got []',
  ],
  [
    { childPolicy: [{ a: {}, b: {} }] },
    (f) => f.policy("childPolicy", { random: {} }),
    'childPolicy must be a list of {"policy": {…}}, got [{"a":{},"b":{}}]',
  ],
  [
    { childPolicy: [{ unregistered: {} }, { toString: {} }] },
    (f) => f.policy("childPolicy", { random: {} }),
    "childPolicy must name a registered policy, got unregistered, toString",
  ],
  [
    { childPolicy: [{ least_request: { choiceCount: 1 } }] },
    (f) => f.policy("childPolicy", { random: {} }),
    "childPolicy: least_request: choiceCount must be an integer >= 2, got 1",
  ],
  [
    { choiceCount: 2, choice_count: 2 },
    (f) => f.integer("choiceCount", 2),
    "choiceCount is given twice, as choiceCount and as choice_count",
  ],
  [
    { choices: 1 },
    (f) => [f.integer("choiceCount", 2), f.flag("alpha", true)],
    "unknown field choices; known fields: alpha, choiceCount",
  ],
  [{ choices: 1 }, () => undefined, "unknown field choices; there are none"],
  [
    { minimum_ring_size: 1 },
    (f) => f.integer("minRingSize", 1),
    "unknown field minimum_ring_size; Envoy's minimum_ring_size is minRingSize here",
  ],
  [
    { active_request_bias: 1 },
    (f) => f.integer("choiceCount", 2),
    "unknown field active_request_bias; Envoy's active_request_bias does not exist here: " +
      "weights count in every comparison, without a bias; known fields: choiceCount",
  ],
  [undefined, () => undefined, "the configuration must be an object, got nothing"],
  [null, () => undefined, "the configuration must be an object, got null"],
  [[], () => undefined, "the configuration must be an object, got []"],
  ["x", () => undefined, 'the configuration must be an object, got "x"'],
];

for (const [json, read, message] of wrongValues) {
  test(`refuses with "${message}"`, () => {
    assert.throws(
      () => {
        const fields = new Fields(json);
        read(fields);
        fields.end();
      },
      { name: "RangeError", message },
    );
  });
}
