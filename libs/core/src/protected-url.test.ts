import assert from "node:assert/strict";
import { test } from "node:test";
import { isProtectedUrl } from "./protected-url.ts";

for (const [url, want] of [
  ["https://example.com/keys", true],
  ["HTTP://LocalHost:1/", true],
  ["http://127.0.0.1:80/", true],
  ["http://127.1/", true],
  ["http://[0::1]/", true],
  ["http://example.com/keys", false],
  ["http://10.0.0.1/", false],
  ["http://localhost.example.com/", false],
  ["http://127.0.0.1.example.com/", false],
  ["http://localhost@example.com/", false],
  ["ftp://localhost/", false],
] as const) {
  test(`${url} is ${want ? "" : "not "}protected on the network`, () => {
    assert.equal(isProtectedUrl(new URL(url)), want);
  });
}
