import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { call, Rig } from "../../testing/rig.ts";
import { random } from "../policies/random.ts";
import { validatePolicy } from "./named-policy.ts";
import { registerPolicies, registerPolicy } from "./register.ts";

const warnings: string[] = [];
registerPolicies({ warn: (message) => warnings.push(message) });

const fail = () => {
  throw new Error("boom");
};
interface Input {
  readonly ready: readonly unknown[];
}
const instance = {
  createEndpointState: () => undefined,
  createPicker:
    ({ ready: [first] }: Input) =>
    () =>
      first,
};

/** Registers a policy as JavaScript may write it. */
function register(name: string, hooks: object): void {
  registerPolicy({ name, parseConfig: random.parseConfig, createInstance: () => instance, ...hooks } as never);
}

for (const [what, hooks, want] of [
  ["createInstance throws", { createInstance: fail }, "boom"],
  ["createInstance returns nothing", { createInstance: () => {} }, "createInstance must return an object, got nothing"],
  [
    "createPicker is missing",
    { createInstance: () => ({ ...instance, createPicker: undefined }) },
    "createPicker of createInstance's object must be a function, got nothing",
  ],
  [
    "onCallEnded is no function",
    { createInstance: () => ({ ...instance, onCallEnded: 5 }) },
    "onCallEnded of createInstance's object must be a function, got a number",
  ],
  [
    "createEndpointState throws",
    { createInstance: () => ({ ...instance, createEndpointState: fail }) },
    "createEndpointState: boom",
  ],
  ["createPicker throws", { createInstance: () => ({ ...instance, createPicker: fail }) }, "createPicker: boom"],
  [
    "createPicker returns an endpoint",
    { createInstance: () => ({ ...instance, createPicker: ({ ready: [first] }: Input) => first }) },
    "createPicker must return a function, got an object",
  ],
  ["the picker throws", { createInstance: () => ({ ...instance, createPicker: () => fail }) }, "boom"],
  [
    "the picker returns nothing",
    { createInstance: () => ({ ...instance, createPicker: () => () => {} }) },
    "the picker must return one of the endpoints in ready, got nothing",
  ],
] as const) {
  test(`calls fail at once with the mistake of a policy: ${what}`, async (t) => {
    const rig = new Rig(t);
    const name = what.replaceAll(" ", "_");
    register(name, hooks);
    const client = rig.client({ [name]: {} } as never);
    rig.publish(await rig.start("a"));
    const details = `policy ${name}: ${want}`;
    await assert.rejects(call(client), { code: status.INTERNAL, details });
    await assert.rejects(call(client), { code: status.INTERNAL, details }, "and the next call");
  });
}

test("what other hooks throw is a warning, once, and calls go on", async (t) => {
  const rig = new Rig(t);
  const hooks = { onCallEnded: fail, onConnected: fail, onDisconnected: fail, refreshMs: fail, longCallAfterMs: fail };
  register("hooks_throw", { createInstance: () => ({ ...instance, ...hooks, countsCalls: true }) });
  const client = rig.client({ hooks_throw: {} } as never);
  const [a] = await rig.start("a");
  rig.publish([a]);
  assert.equal(await call(client), "a");
  assert.equal(await call(client), "a");
  client.close();
  const names = ["onCallEnded", "onConnected", "onDisconnected", "refreshMs", "longCallAfterMs"];
  const want = names.map((hook) => `policy hooks_throw: ${hook}: boom`);
  assert.deepEqual(warnings.filter((warning) => warning.includes("hooks_throw")).sort(), want.sort());
});

test("a configuration that is no object is refused", () => {
  register("parses_nothing", { parseConfig: () => undefined });
  const message = "is invalid: parses_nothing: parseConfig must return an object, got nothing";
  assert.throws(() => validatePolicy("parses_nothing", {}), { message });
});

test("an instance of a class keeps its fields, and its hooks their this", async (t) => {
  class Instance {
    ended = 0;
    countsCalls = true;
    createEndpointState() {
      return undefined;
    }
    createPicker({ ready: [first] }: Input) {
      return () => first;
    }
    onCallEnded() {
      this.ended += 1;
    }
  }
  const instances: Instance[] = [];
  const rig = new Rig(t);
  register("of_a_class", { createInstance: () => instances[instances.push(new Instance()) - 1] });
  const client = rig.client({ of_a_class: {} } as never);
  rig.publish(await rig.start("a"));
  assert.equal(await call(client), "a");
  assert.deepEqual(
    instances.map(({ ended }) => ended),
    [1],
  );
});
