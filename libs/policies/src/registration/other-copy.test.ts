import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { random } from "../policies/random.ts";
import { registerPolicies, registerPolicy } from "./register.ts";

test("where another copy of this library has registered its policies in this grpc-js, they are used, with a warning", async () => {
  registerPolicies();
  const path: string = "./register.ts?another-copy";
  const other = (await import(path)) as typeof import("./register.ts");
  assert.notEqual(other.registerPolicies, registerPolicies);
  const warnings: string[] = [];
  other.registerPolicies({ warn: (message) => warnings.push(message) });
  assert.deepEqual(warnings.length, 1);
  assert.match(
    String(warnings),
    /several copies of @grpc-lb\/policies in this process; .* registered first are used; npm dedupe/,
  );
  const channel = new FakeChannel({ least_request: {} });
  channel.update([]);
  assert.match(channel.refusal(new Metadata()) ?? "", /least_request/);
  channel.balancer.destroy();

  other.registerPolicy({ ...random, name: "of_the_other_copy" });
  assert.throws(() => registerPolicy({ ...random, name: "of_the_other_copy" }), {
    message: "@grpc-lb/policies: a policy named of_the_other_copy is already registered",
  });
});
