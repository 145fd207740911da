import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental, Metadata } from "@grpc/grpc-js";
import { headerOf, isRegistered, parsePolicy, recordRegistration, requireSupportedGrpc } from "./grpc-js.ts";

test("the installed version of grpc-js is supported", () => {
  requireSupportedGrpc();
  assert.equal(recordRegistration(), undefined);
});

test("an unsupported version of grpc-js is refused with the missing function", () => {
  const { LeafLoadBalancer, registerLoadBalancerType, ...rest } = experimental;
  assert.throws(() => requireSupportedGrpc({ ...rest, registerLoadBalancerType }), {
    message: "@grpc-lb/policies needs @grpc/grpc-js 1.14; the installed version has no experimental.LeafLoadBalancer",
  });
  assert.throws(() => requireSupportedGrpc(rest), {
    message: /has no experimental\.LeafLoadBalancer, registerLoadBalancerType$/,
  });
  assert.throws(() => requireSupportedGrpc({}), { message: /ChildLoadBalancerHandler, LeafLoadBalancer, QueuePicker/ });
});

test("grpc-js's own policies are registered, and inherited property names are not", () => {
  assert.equal(isRegistered("pick_first"), true);
  assert.equal(isRegistered("unregistered"), false);
  assert.equal(isRegistered("toString"), false);
  assert.equal(isRegistered("constructor"), false);
});

test("the error about an unregistered policy names it", () => {
  assert.throws(() => parsePolicy({ unregistered: {} }), { message: /unregistered/ });
});

test("headerOf returns what Metadata.get returns, also for a version that stores values elsewhere", () => {
  const metadata = new Metadata();
  metadata.add("X-Key", "a");
  metadata.add("x-key", "b");
  const other = { get: (name: string) => metadata.get(name) } as unknown as Metadata;
  for (const one of [metadata, metadata.clone(), other]) {
    assert.deepEqual(headerOf(one, "x-key"), ["a", "b"]);
    assert.deepEqual(headerOf(one, "x-other") ?? [], []);
  }
  assert.deepEqual(headerOf(metadata, "x-key"), metadata.get("x-key"));
});
