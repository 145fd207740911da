import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { Fields } from "../../config/fields.ts";
import type { ClientIdentity } from "../client-key.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { hashText32 } from "./xxhash64.ts";

const client1: ClientIdentity = { env: {}, hostname: "host-1", address: "10.1.0.7" };

function hash(
  config: Partial<KeyConfig>,
  headers: readonly (readonly [string, string])[] = [],
  client: ClientIdentity = client1,
): number {
  const metadata = new Metadata();
  for (const [name, value] of headers) metadata.add(name, value);
  const full: KeyConfig = { requestHashHeader: undefined, key: "hostname", ...config };
  return createRequestHash(full, () => 0.5, client)({ metadata, extraPickInfo: {} });
}

test("the key is the header's value, several of them joined by commas", () => {
  const config = { requestHashHeader: "session" };
  assert.equal(hash(config, [["session", "abc"]]), hashText32("abc"));
  assert.equal(
    hash(config, [
      ["session", "a"],
      ["other", "x"],
      ["Session", "b"],
    ]),
    hashText32("a,b"),
  );
  assert.equal(hash(config, [["session", ""]]), hashText32(""), "an empty value counts");
});

test("a call without the header has the client's own key, or with random a new hash", () => {
  assert.equal(hash({ requestHashHeader: "session" }), hashText32("host-1"));
  assert.equal(hash({ requestHashHeader: "session", key: "random" }), -(2 ** 31));
  const random = createRandom(1);
  const hashOf = createRequestHash({ requestHashHeader: undefined, key: "random" }, random, client1);
  const hashes = Array.from({ length: 1_000 }, () => hashOf({ metadata: new Metadata(), extraPickInfo: {} }));
  assert.equal(new Set(hashes).size, 1_000);
  assert.ok(hashes.every((value) => value === (value | 0)));
  assert.ok(
    Math.max(...hashes) > 0.98 * 2 ** 31 && Math.min(...hashes) < -0.98 * 2 ** 31,
    "hashes cover the whole range",
  );
});

test("without requestHashHeader, headers do not matter", () => {
  assert.equal(hash({}, [["session", "abc"]]), hashText32("host-1"));
});

test("the client's own key falls back to the next best one that is known", () => {
  for (const { key, env = {}, address = "10.1.0.7", want } of [
    { key: "pod_uid", env: { POD_UID: "uid-1", POD_NAME: "api-1" }, want: "uid-1" },
    { key: "pod_uid", env: { POD_UID: "", POD_NAME: "api-1" }, want: "api-1" },
    { key: "pod_uid", want: "host-1" },
    { key: "hostname", env: { POD_UID: "uid-1", POD_IP: "10.2.0.1" }, want: "host-1" },
    { key: "address", env: { POD_IP: "10.2.0.1" }, want: "10.2.0.1" },
    { key: "address", want: "10.1.0.7" },
    { key: "address", address: undefined, want: "host-1" },
  ] as { key: KeyConfig["key"]; env?: Record<string, string>; address?: string; want: string }[]) {
    const isGiven = !(key === "address" && want === "host-1");
    const client = { env, hostname: "host-1", address: isGiven ? address : undefined };
    assert.equal(hash({ key }, [], client), hashText32(want), `${key} of ${JSON.stringify(client)}`);
  }
});

test("this client's key is its own host name", () => {
  const hashOf = createRequestHash({ requestHashHeader: undefined, key: "hostname" }, () => 0.5);
  assert.equal(hashOf({ metadata: new Metadata(), extraPickInfo: {} }), hashText32(hostname()));
});

test("a configuration has defaults, and the header's name in lower case", () => {
  assert.deepEqual(parseKeyConfig(new Fields({}), "pod_uid"), { requestHashHeader: undefined, key: "pod_uid" });
  assert.deepEqual(parseKeyConfig(new Fields({ request_hash_header: "X-Session", key: "address" }), "random"), {
    requestHashHeader: "x-session",
    key: "address",
  });
});

test("a binary header, or an invalid header name, is refused", () => {
  const must = "requestHashHeader must be the name of a text header (gRFC A76), got";
  for (const [header, message] of [
    ["session-bin", `${must} "session-bin"`],
    ["Session-BIN", `${must} "session-bin"`],
    [":authority", `${must} ":authority"`],
    ["my session", `${must} "my session"`],
    ["", 'requestHashHeader must be a non-empty string, got ""'],
  ] as const) {
    assert.throws(() => parseKeyConfig(new Fields({ requestHashHeader: header }), "random"), {
      name: "RangeError",
      message,
    });
  }
  assert.throws(() => parseKeyConfig(new Fields({ key: "cookie" }), "random"), {
    name: "RangeError",
    message: 'key must be one of random, pod_uid, hostname, address, got "cookie"',
  });
});
