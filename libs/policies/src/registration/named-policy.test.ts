import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { random } from "../policies/random.ts";
import { needsNoConfig, parsePolicy, registeredPolicies, validatePolicy } from "./named-policy.ts";
import { policyNames, registerPolicies, registerPolicy } from "./register.ts";

registerPolicies();

const names = registeredPolicies();

test("the registered policies are those of grpc-js and of this library", () => {
  assert.deepEqual([names.slice(0, 2), names.slice(-1)], [["pick_first", "round_robin"], ["outlier_detection"]]);
  for (const name of policyNames) assert.ok(names.includes(name), name);
  assert.equal(new Set(names).size, names.length, `each once: ${names}`);
});

test("a policy of registerPolicy is among them, and in the errors that list them", () => {
  registerPolicy({ ...random, name: "my_random" });
  assert.deepEqual(registeredPolicies(), [...names, "my_random"]);
  assert.throws(() => validatePolicy("my_randoms", {}), { message: /outlier_detection, my_random, got "my_randoms"$/ });
  assert.throws(() => parsePolicy("my_randoms"), { message: /, my_random, got "my_randoms"$/ });
});

test("every policy but outlier_detection and subset works without a configuration", () => {
  assert.deepEqual(
    names.filter((name) => !needsNoConfig(name)),
    names.filter((name) => name === "outlier_detection" || name === "subset"),
  );
  assert.equal(needsNoConfig("nothing"), false);
});

test("a configuration that grpc-js accepts is accepted", () => {
  for (const [name, config] of [
    ["pick_first", { shuffleAddressList: true }],
    ["round_robin", {}],
    ["weighted_round_robin", { weight_update_period: "0.5s" }],
    ["outlier_detection", { child_policy: [{ round_robin: {} }] }],
  ] as const) {
    assert.doesNotThrow(() => validatePolicy(name, config), name);
  }
});

test("an unknown policy name, also that of an inherited property, is refused with the known names", () => {
  for (const name of ["", "nothing", "Round_Robin", "round-robin", "toString", "constructor", "__proto__"]) {
    const message = `must be one of ${registeredPolicies().join(", ")}, got "${name}"`;
    assert.throws(() => validatePolicy(name, {}), { name: "RangeError", message }, name);
  }
});

test("a configuration that grpc-js refuses is refused with grpc-js's reason", () => {
  for (const [name, config, reason] of [
    ["pick_first", { shuffleAddressList: "yes" }, /^is invalid: .*shuffleAddressList/],
    ["weighted_round_robin", { weight_update_period: "soon" }, /^is invalid: .*weightUpdatePeriod must be a duration/],
    ["outlier_detection", {}, /^is invalid: .*childPolicy must be a list/],
  ] as const) {
    assert.throws(() => validatePolicy(name, config), { name: "RangeError", message: reason }, name);
  }
});

test("parsePolicy takes a name, or a name and a configuration", () => {
  for (const [text, name, config] of [
    ["least_request", "least_request", {}],
    ['least_request{"choiceCount":3}', "least_request", { choiceCount: 3 }],
    ['ring_hash {"requestHashHeader":"x-user"}', "ring_hash", { requestHashHeader: "x-user" }],
    ["round_robin{}", "round_robin", {}],
  ] as const) {
    assert.deepEqual(parsePolicy(text), { name, config }, text);
  }
});

test("an invalid policy or configuration is refused with the reason", () => {
  for (const [text, message] of [
    ["nothing", /^must be one of pick_first, round_robin, random, .*, got "nothing"$/],
    ["", /^must be one of .*, got ""$/],
    ['nothing{"a":1}', /^must be one of .*, got "nothing"$/],
    ["least_request{", /^must be a policy name, optionally followed by its configuration in JSON: /],
    ['least_request{"choiceCount":1}', /choiceCount must be an integer >= 2, got 1$/],
    ['least_request{"choice":3}', /unknown field choice; known fields: choiceCount, /],
    ["outlier_detection", /^is invalid: .*childPolicy must be a list/],
  ] as const) {
    assert.throws(() => parsePolicy(text), { name: "RangeError", message }, text);
  }
});

test("what is no text is a TypeError, not an unknown policy", () => {
  const ofJavaScript = (value: unknown) => value as string;
  for (const value of [undefined, null, 5, {}, Symbol("least_request")]) {
    assert.throws(() => parsePolicy(ofJavaScript(value)), /^TypeError: must be a text such as least_request, got/);
    assert.throws(() => validatePolicy(ofJavaScript(value), {}), /^TypeError: must be the name of a policy, got/);
  }
});

test("the policies of the service config in the README are valid", () => {
  const readme = readFileSync(`${import.meta.dirname}/../../README.md`, "utf8");
  const { loadBalancingConfig } = JSON.parse(/```json\n(.*?)```/s.exec(readme)?.[1] ?? "");
  const [[name = "", config] = []] = Object.entries(loadBalancingConfig[0]);
  assert.equal(name, "subset");
  parsePolicy(`${name}${JSON.stringify(config)}`);
});
