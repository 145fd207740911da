import assert from "node:assert/strict";
import { test } from "node:test";
import { withHashKey } from "./policy-flag.ts";

test("a hash key has a hash policy choose by the header that it goes in", () => {
  const ring = { name: "ring_hash", config: { minRingSize: 10 } };
  assert.deepEqual(withHashKey(ring, "alice"), {
    name: "ring_hash",
    config: { requestHashHeader: "hash-key", minRingSize: 10 },
  });
  const own = { name: "maglev", config: { requestHashHeader: "x-user" } };
  assert.deepEqual(withHashKey(own, "alice"), own, "a header that the user named stays");
  assert.equal(withHashKey(ring, ""), ring);
  assert.equal(withHashKey(undefined, ""), undefined);
});

test("a hash key without a policy that uses it is refused", () => {
  for (const policy of [undefined, { name: "random", config: {} }]) {
    assert.throws(() => withHashKey(policy, "alice"), {
      exitCode: 2,
      message: /^--hash-key goes with --policy ring_hash, maglev, source_hash; got /,
    });
  }
});
