import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(import.meta.url);

/** Another grpc-js than the one that is there: what it exports is exchanged before anybody has loaded it. */
function exchangeExperimental(change: object): () => void {
  const path = require.resolve("@grpc/grpc-js/build/src/experimental.js");
  const experimental = require(path) as object;
  const entry = require.cache[path];
  assert.ok(entry);
  const changed = { ...experimental, ...change };
  entry.exports = changed;
  return () => void Object.assign(changed, experimental);
}

test("nothing is registered in an unsupported grpc-js, or when another policy has one of the names", async () => {
  const restore = exchangeExperimental({ endpointToString: undefined });
  const { registerPolicies, registerPolicy } = await import("./register.ts");
  const { isRegistered, registerPolicyType } = await import("../grpc-js.ts");
  const { random } = await import("../policies/random.ts");
  const message = /needs @grpc\/grpc-js 1\.14; the installed version has no experimental\.endpointToString$/;
  assert.throws(() => registerPolicies(), { message });
  assert.throws(() => registerPolicy({ ...random, name: "mine" }), { message });
  assert.deepEqual(["random", "mine"].filter(isRegistered), []);
  restore();

  class Other {}
  registerPolicyType("locality", Other as never, Other as never); // as a second copy of this library would
  assert.throws(() => registerPolicies(), { message: /a policy named locality is already registered/ });
  assert.deepEqual(["random", "subset"].filter(isRegistered), [], "all or nothing");
});
