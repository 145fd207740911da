import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { recordCopy } from "@grpc-lb/core";
import { recordRegistration, requireSupportedGrpc } from "./grpc-js.ts";

test("the grpc-js that is installed is supported", () => {
  requireSupportedGrpc();
  requireSupportedGrpc(experimental);
});

test("a grpc-js that lacks a needed function is one clear error", () => {
  const { statusOrFromValue: _, ...older } = experimental;
  assert.throws(() => requireSupportedGrpc(older), {
    message: "@grpc-lb/resolver needs @grpc/grpc-js 1.14; the installed version lacks experimental.statusOrFromValue",
  });
  assert.throws(() => requireSupportedGrpc({}), /lacks experimental\.createResolver, .*uriToString$/);
});

test("policies that are registered in another grpc-js are a warning; the same ones are not", () => {
  recordCopy("@grpc/grpc-js", experimental, "@grpc-lb/policies");
  assert.deepEqual(recordRegistration(), []);
  recordCopy("@grpc/grpc-js", {}, "@grpc-lb/policies");
  assert.deepEqual(recordRegistration(), [
    "there are 2 copies of @grpc/grpc-js in this process, used by @grpc-lb/policies and @grpc-lb/resolver; by " +
      "@grpc-lb/policies; channels of one do not know the targets that are registered in the other, and look them up " +
      "in DNS; npm ls @grpc/grpc-js shows them, npm dedupe leaves one",
  ]);
});

test("a second copy of this library is a warning", () => {
  recordCopy("@grpc-lb/resolver", {}, "registerResolvers");
  assert.match(
    String(recordRegistration()),
    /there are 2 copies of @grpc-lb\/resolver in this process; .* registered last/,
  );
});
