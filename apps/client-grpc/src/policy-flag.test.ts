import assert from "node:assert/strict";
import { test } from "node:test";
import { withHashKey } from "./policy-flag.ts";

test("a hash key configures a hash policy to choose by its header", () => {
  const ring = { name: "ring_hash", config: { minRingSize: 10 } };
  assert.deepEqual(withHashKey(ring, "alice"), {
    name: "ring_hash",
    config: { requestHashHeader: "hash-key", minRingSize: 10 },
  });
  const own = { name: "maglev", config: { requestHashHeader: "x-user" } };
  assert.deepEqual(withHashKey(own, "alice"), own, "a header of the user stays");
  assert.equal(withHashKey(ring, ""), ring);
  assert.equal(withHashKey(undefined, ""), undefined);
});

test("a hash key with a policy that balances without one is an error; without a policy it is for a proxy", () => {
  assert.throws(() => withHashKey({ name: "random", config: {} }, "alice"), {
    exitCode: 2,
    message: "--hash-key needs --policy ring_hash, maglev, source_hash, or none; got random",
  });
  for (const policy of [undefined, { name: "pick_first", config: {} }])
    assert.equal(withHashKey(policy, "alice"), policy);
});
