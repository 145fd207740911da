import assert from "node:assert/strict";
import { test } from "node:test";
import { clientPatch, policyFlag, requireChoice } from "./policy.ts";

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
  for (const strategy of ["clusterip", "envoy", "loadbalancer"] as const)
    assert.throws(() => requireChoice("least_request", strategy), { exitCode: 2, message: /STRATEGY=resolver/ });
  requireChoice("", "envoy");
  requireChoice("", "clusterip");
  requireChoice("least_request", "resolver");
  requireChoice("least_request", "headless-dns");
});

test("variables become those of client-grpc; without one nothing is patched", () => {
  const policy = 'least_request{"choiceCount":3}';
  const [{ patch }] = clientPatch([{ name: "POLICY", value: policy }]) as [{ patch: string }];
  const { kind, metadata, spec } = JSON.parse(patch);
  assert.deepEqual([kind, metadata.name], ["Deployment", "client-grpc"]);
  const [container] = spec.template.spec.containers;
  assert.deepEqual(container, { name: "client-grpc", env: [{ name: "POLICY", value: policy }] });
  assert.deepEqual(clientPatch([]), []);
});
