import assert from "node:assert/strict";
import { test } from "node:test";
import { readSubsetKey } from "./client-key.ts";

test("a client's subset key is its pod's uid, else its pod's name, else its host", () => {
  const env = { POD_UID: "uid", POD_NAME: "pod", HOSTNAME: "env-host" };
  const table: [Record<string, string | undefined>, string][] = [
    [env, "uid"],
    [{ ...env, POD_UID: undefined }, "pod"],
    [{ ...env, POD_UID: "" }, "pod"],
    [{ ...env, POD_UID: undefined, POD_NAME: "" }, "env-host"],
    [{}, "host"],
  ];
  for (const [given, want] of table)
    assert.equal(readSubsetKey({ env: given, hostname: "host" }), want, JSON.stringify(given));
  assert.notEqual(readSubsetKey(), "");
});
