import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { SecretSearch } from "./secret-search.ts";

const pem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = `${encode({ alg: "ES256" })}.${encode({ sub: "a", iss: "https://issuer.test" })}.${randomBytes(64).toString("base64url")}`;
const text = randomBytes(24).toString("base64url");

function createSearch() {
  const search = new SecretSearch();
  search.add("key", pem);
  search.add("token", jwt);
  search.add("text", text);
  return search;
}

test("finds a secret as a whole, in one line, escaped, and a part of it", () => {
  const search = createSearch();
  const [, , signature = ""] = jwt.split(".");
  for (const [shown, names] of [
    [pem, ["key"]],
    [JSON.stringify({ pem }), ["key"]],
    [pem.replaceAll("\n", ""), ["key"]],
    [`authorization: Bearer ${jwt}`, ["token"]],
    [`token=${signature.slice(7, 40)}…`, ["token"]],
    [`x${signature.slice(-16)}`, ["token"]],
    [`${text} and ${jwt}`, ["text", "token"]],
  ] as const) {
    assert.deepEqual(search.find(shown), names, shown);
  }
  assert.deepEqual(search.names, ["key", "token", "text"]);
});

test("finds nothing in other keys, tokens and texts, and in what all of them have alike", () => {
  const search = createSearch();
  const [header] = jwt.split(".");
  for (const other of ["", "-----BEGIN PRIVATE KEY-----", `${header}.…`, randomBytes(3_000).toString("base64url")])
    assert.deepEqual(search.find(other), [], other);
});

test("a text that is too short is no secret that can be searched for", () => {
  assert.throws(() => new SecretSearch().add("short", "0123456789"), /^RangeError: short is too short/);
});
