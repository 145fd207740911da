import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { createSource } from "@grpc-lb/discovery";
import { Agent } from "undici";
import { FakeSource } from "../../testing/fake-source.ts";
import { BalancedDispatcher } from "./index.ts";

const target = "static:///127.0.0.1:80";

/** Calls the constructor as JavaScript may. */
const create = (...args: readonly unknown[]) => new BalancedDispatcher(...(args as [never, never]));

for (const [source, got] of [
  [undefined, "nothing"],
  [null, "null"],
  [{}, "an object"],
  [{ watch: () => {} }, "an object"],
  [80, "a number"],
  [Promise.resolve(), "a promise"],
] as const) {
  test(`a source that is ${got} is refused with what to pass`, () => {
    assert.throws(() => create(source), {
      name: "TypeError",
      message: new RegExp(`^BalancedDispatcher needs a source or a target, such as .*createSource.*; got ${got}$`),
    });
  });
}

test("a target that is not valid is refused at once", () => {
  assert.throws(() => create("server:80"), { name: "RangeError", message: /kubernetes:/ });
});

for (const [what, options, error] of [
  [
    "no object",
    "connect",
    { name: "TypeError", message: "BalancedDispatcher: the options must be an object, got a string" },
  ],
  ["null", null, { name: "TypeError", message: "BalancedDispatcher: the options must be an object, got null" }],
  [
    "a misspelt option of undici",
    { headersTimeOut: 1 },
    { name: "TypeError", message: "BalancedDispatcher: unknown option headersTimeOut; is it headersTimeout?" },
  ],
  [
    "a misspelt option of a source",
    { kubernets: {} },
    { name: "TypeError", message: "BalancedDispatcher: unknown option kubernets; is it kubernetes?" },
  ],
  [
    "a value that undici does not take",
    { keepAliveTimeout: -1 },
    { name: "InvalidArgumentError", message: "invalid keepAliveTimeout" },
  ],
  [
    "a wrong option of a source",
    { consul: { credentials: "token" } },
    { name: "TypeError", message: "createSource: consul.credentials must be an object, got a string" },
  ],
] as const) {
  test(`wrong options throw at once: ${what}`, async () => {
    assert.throws(() => create(target, options), error);
    await assertNothingLeft();
  });
}

test("options of a target are refused beside a source, which has its own", () => {
  assert.throws(() => create(new FakeSource(), { etcd: {} }), {
    name: "TypeError",
    message: "BalancedDispatcher: etcd is an option of a target; pass it to the function that made the source",
  });
});

test("what is right is accepted, also an option of a later undici", async () => {
  const options = {
    connect: { timeout: 1_000 },
    factory: (origin: string | URL) => new Agent().compose(() => () => Boolean(origin)),
  };
  for (const [source, more] of [
    [target, {}],
    [target, { consul: { credentials: {} }, connections: null, anOptionOfTomorrow: 1 }],
    [createSource(target), options],
    [new FakeSource(), undefined],
  ] as const) {
    await create(source, more).close();
  }
  await assertNothingLeft();
});
