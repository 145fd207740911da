import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientKey } from "./client-key.ts";

test("a client is its pod's uid, else its name, else its host", () => {
  const env = { POD_UID: "uid", POD_NAME: "pod", HOSTNAME: "env-host" };
  const host = () => "host";
  const table: [Record<string, string | undefined>, string][] = [
    [env, "uid"],
    [{ ...env, POD_UID: undefined }, "pod"],
    [{ ...env, POD_UID: "" }, "pod"],
    [{ ...env, POD_UID: undefined, POD_NAME: "" }, "env-host"],
    [{}, "host"],
  ];
  for (const [given, want] of table) assert.equal(readClientKey(given, host), want, JSON.stringify(given));
  assert.notEqual(readClientKey(), "");
});
