import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { hashKey } from "./key-hash.ts";
import { hashText32 } from "./xxhash64.ts";

test("a key has the hash of hashText32, also when it repeats or displaces another one", () => {
  const keys = ["", "a", "ab", "é", "user-1", "user-2", ...Array.from({ length: 20_000 }, () => randomUUID())];
  for (const key of [...keys, ...keys]) assert.equal(hashKey(key), hashText32(key), key);
});
