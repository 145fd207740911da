import assert from "node:assert/strict";
import { test } from "node:test";
import { policyFlag, policyPatches, requireChoice } from "./policy.ts";

test("POLICY is a name, or a name with its configuration, in client-grpc's syntax", () => {
  for (const text of [
    "round_robin",
    "least_request",
    'least_request{"choiceCount":3}',
    'subset{"subsetSize":2,"childPolicy":[{"least_request":{}}]}',
  ]) {
    assert.equal(policyFlag.parse(text), text);
  }
});

test("a policy that client-grpc would reject is an error before anything is deployed", () => {
  for (const [text, message] of [
    ["nothing", /^must be one of pick_first, round_robin, random, .*, locality, got "nothing"$/],
    ["toString", /^must be one of .*, got "toString"$/],
    ["least_request{", /^must be a policy name, optionally followed by its configuration in JSON: /],
    ['least_request{"choiceCount":1}', /choiceCount must be an integer >= 2, got 1$/],
    ["subset", /^is invalid: .*subsetSize/],
  ] as const) {
    assert.throws(() => policyFlag.parse(text), { name: "RangeError", message }, text);
  }
});

test("a policy is an error if the client sees only one address", () => {
  assert.throws(() => requireChoice("least_request", "clusterip"), { exitCode: 2, message: /STRATEGY=resolver/ });
  requireChoice("", "clusterip");
  requireChoice("least_request", "resolver");
  requireChoice("least_request", "headless-dns");
});

test("a policy becomes the variable POLICY of client-grpc; without one nothing is patched", () => {
  const policy = 'least_request{"choiceCount":3}';
  const [{ patch }] = policyPatches(policy) as [{ patch: string }];
  const { kind, metadata, spec } = JSON.parse(patch);
  assert.deepEqual([kind, metadata.name], ["Deployment", "client-grpc"]);
  const [container] = spec.template.spec.containers;
  assert.deepEqual(container, { name: "client-grpc", env: [{ name: "POLICY", value: policy }] });
  assert.deepEqual(policyPatches(""), []);
});
