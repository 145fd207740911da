import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { describeCopies, requireSupportedGrpc } from "./grpc-js.ts";

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

test("the warning of two copies of grpc-js names their folders; one copy needs none", () => {
  assert.equal(describeCopies(), undefined);
  assert.equal(
    describeCopies(["/app/a/grpc-js", "/app/b/grpc-js"]),
    "there are 2 copies of @grpc/grpc-js in this process, /app/a/grpc-js and /app/b/grpc-js; channels of one do not know the " +
      "targets that are registered in the other, and look them up in DNS; npm dedupe leaves one",
  );
});
