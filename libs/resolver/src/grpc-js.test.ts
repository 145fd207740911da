import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { requireSupportedGrpc } from "./grpc-js.ts";

test("row 23: the grpc-js that is installed is supported", () => {
  requireSupportedGrpc();
  requireSupportedGrpc(experimental);
});

test("row 23: a grpc-js without a function that is needed is one clear error", () => {
  const { statusOrFromValue: _, ...older } = experimental;
  assert.throws(() => requireSupportedGrpc(older), {
    message: "@grpc-lb/resolver needs @grpc/grpc-js 1.14; the one there is has no experimental.statusOrFromValue",
  });
  assert.throws(() => requireSupportedGrpc({}), /no experimental\.registerResolver, .*uriToString$/);
});
