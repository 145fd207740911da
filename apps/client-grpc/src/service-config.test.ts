import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { registerPolicies } from "@grpc-lb/policies";
import { chosenPolicy, mergeServiceConfig, serviceConfigFlag } from "./service-config.ts";

registerPolicies();

const merge = (text: string | undefined, policy?: { name: string; config: Record<string, unknown> }) =>
  mergeServiceConfig(policy, text === undefined ? undefined : serviceConfigFlag.parse(text));

test("without --policy and --service-config there is no service config, and no policy is chosen", () => {
  assert.equal(merge(undefined), undefined);
  assert.equal(chosenPolicy(undefined), undefined);
  assert.equal(chosenPolicy(merge('{"methodConfig":[]}')), undefined);
});

test("the chosen policy is the one that is used, not the first of the list", () => {
  for (const [text, name, config] of [
    ['{"loadBalancingConfig":[{"round_robin":{}}]}', "round_robin", {}],
    [
      '{"loadBalancingConfig":[{"not_yet":{}},{"least_request":{"choiceCount":3}}]}',
      "least_request",
      { choiceCount: 3 },
    ],
    ['{"loadBalancingPolicy":"ROUND_ROBIN"}', "round_robin", {}],
  ] as const) {
    assert.deepEqual(chosenPolicy(merge(text)), { name, config }, text);
  }
});

test("--policy is merged into a service config that chooses none", () => {
  const merged = merge('{"methodConfig":[{"name":[{}],"timeout":"0.25s"}]}', { name: "random", config: {} });
  assert.deepEqual(chosenPolicy(merged), { name: "random", config: {} });
  assert.deepEqual(merged?.methodConfig, [{ name: [{}], timeout: { seconds: 0, nanos: 250_000_000 } }]);
});

test("--policy and a service config with a policy are an error", () => {
  const both = () => merge('{"loadBalancingConfig":[{"round_robin":{}}]}', { name: "random", config: {} });
  const message = "--policy and --service-config both choose a policy; give one";
  assert.throws(both, { name: "ProgramError", exitCode: 2, message });
});

test("an invalid service config is an error that continues the name of the flag", () => {
  for (const [text, want] of [
    ["", /^is not valid JSON: /],
    ["{", /^is not valid JSON: /],
    ["round_robin", /^is not valid JSON: /],
    ["null", /^must be a JSON object$/],
    ["[]", /^must be a JSON object$/],
    ['"round_robin"', /^must be a JSON object$/],
    ['{"methodConfig":[{"name":[{}],"timeout":"soon"}]}', /^is invalid: .*timeout/],
    ['{"loadBalancingConfig":null}', /^is invalid: /],
    ['{"loadBalancingConfig":{"round_robin":{}}}', /^is invalid: /],
    ['{"loadBalancingConfig":["round_robin"]}', /^is invalid: /],
    ['{"loadBalancingConfig":[{}]}', /^is invalid: /],
    ['{"loadBalancingConfig":[{"pick_first":{},"round_robin":{}}]}', /^is invalid: /],
    ['{"loadBalancingConfig":[{"round_robin":[]}]}', /^is invalid: /],
    ['{"loadBalancingConfig":[{"round_robin":null}]}', /^is invalid: /],
    ['{"loadBalancingConfig":[{"nothing":{}}]}', /^is invalid: .*nothing/],
    ['{"loadBalancingConfig":[{"toString":{}},{"nothing":{}}]}', /^is invalid: .*toString/],
    ['{"loadBalancingConfig":[{"constructor":{}}]}', /^is invalid: .*constructor/],
    ['{"loadBalancingConfig":[{"outlier_detection":{}}]}', /^is invalid: .*child/],
    ['{"loadBalancingConfig":[{"least_request":{"choicecount":3}}]}', /^is invalid: .*choicecount/],
  ] as const) {
    assert.throws(() => serviceConfigFlag.parse(text), { name: "RangeError", message: want }, text);
  }
});

test("each service config of the README is read, and nothing in it is ignored", () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const lines = /```json\n(.*?)\n```/s.exec(readme)?.[1]?.split("\n") ?? [];
  assert.ok(lines.length >= 3, `${lines.length} lines`);
  for (const line of lines) assert.deepEqual(serviceConfigFlag.parse(line)?.ignored ?? [], [], line);
});
