import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { requireSupportedGrpc, warnOfCopies } from "./grpc-js.ts";

test("row 23: the grpc-js that is installed is supported", () => {
  requireSupportedGrpc();
  requireSupportedGrpc(experimental);
});

test("row 23: a grpc-js without a function that is needed is one clear error", () => {
  const { statusOrFromValue: _, ...older } = experimental;
  assert.throws(() => requireSupportedGrpc(older), {
    message: "@grpc-lb/resolver needs @grpc/grpc-js 1.14; the one there is has no experimental.statusOrFromValue",
  });
  assert.throws(() => requireSupportedGrpc({}), /no experimental\.isLoadBalancerNameRegistered, .*uriToString$/);
});

test("two copies of grpc-js are told by where they are, and one is not", () => {
  assert.equal(warnOfCopies(), undefined);
  assert.equal(
    warnOfCopies(["/app/a/grpc-js", "/app/b/grpc-js"]),
    "there are 2 copies of @grpc/grpc-js in this process, /app/a/grpc-js and /app/b/grpc-js; channels of one do not know the " +
      "targets that are registered in the other, and look them up in DNS; npm dedupe leaves one",
  );
});
