import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { readKeys } from "./read-keys.ts";

test("the content of a file in place of its name is not in the error", async () => {
  const file = '{"keys":[{"kty":"oct","k":"secret"}]}';
  await assert.rejects(readKeys({ file }, new ManualClock()), {
    message: "cannot read the keys of the issuer: …: must be the name of a file, and looks like the content of one",
  });
});
