import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy, withHashKey } from "./policy-flag.ts";

test("a policy is a name, or a name and its configuration", () => {
  for (const [text, name, config] of [
    ["least_request", "least_request", {}],
    ['least_request{"choiceCount":3}', "least_request", { choiceCount: 3 }],
    ['ring_hash {"requestHashHeader":"x-user"}', "ring_hash", { requestHashHeader: "x-user" }],
    ["round_robin{}", "round_robin", {}],
  ] as const) {
    assert.deepEqual(parsePolicy(text), { name, config }, text);
  }
});

test("what is no policy, or no configuration of it, is refused with the reason", () => {
  for (const [text, message] of [
    ["nothing", /^must be one of pick_first, round_robin, random, .*, got "nothing"$/],
    ["", /^must be one of .*, got ""$/],
    ['nothing{"a":1}', /^must be one of .*, got "nothing"$/],
    ["least_request{", /^must be a policy, or one and its configuration in JSON: /],
    ['least_request{"choiceCount":1}', /choiceCount must be an integer >= 2, got 1$/],
    ['least_request{"choice":3}', /choice is no field; there are choiceCount, /],
    ["outlier_detection", /^is refused by grpc-js: .*child_policy/],
  ] as const) {
    assert.throws(() => parsePolicy(text), { name: "RangeError", message }, text);
  }
});

test("a hash key has a hash policy choose by the header that it goes in", () => {
  const ring = { name: "ring_hash", config: { minRingSize: 10 } };
  assert.deepEqual(withHashKey(ring, "alice"), {
    name: "ring_hash",
    config: { requestHashHeader: "hash-key", minRingSize: 10 },
  });
  const own = { name: "maglev", config: { requestHashHeader: "x-user" } };
  assert.deepEqual(withHashKey(own, "alice"), own, "a header that the user named stays");
  assert.equal(withHashKey(ring, ""), ring);
  assert.equal(withHashKey(undefined, ""), undefined);
});

test("a hash key without a policy that uses it is refused", () => {
  for (const policy of [undefined, { name: "random", config: {} }]) {
    assert.throws(() => withHashKey(policy, "alice"), {
      exitCode: 2,
      message: /^--hash-key goes with --policy ring_hash, maglev, source_hash; got /,
    });
  }
});
