import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { type ConsulCredentials, CredentialFiles, readConsulEnvironment, validateConsulAccess } from "./access.ts";

const environments: readonly [Record<string, string>, ConsulCredentials][] = [
  [{}, {}],
  [{ CONSUL_HTTP_TOKEN: "t" }, { token: "t" }],
  [{ CONSUL_HTTP_TOKEN: "t", CONSUL_HTTP_TOKEN_FILE: "/f" }, { tokenFile: "/f" }],
  [{ CONSUL_HTTP_TOKEN: "", CONSUL_HTTP_TOKEN_FILE: "" }, {}],
  [{ CONSUL_HTTP_SSL: "true" }, { tls: {} }],
  [{ CONSUL_HTTP_SSL: "1", CONSUL_CACERT: "/ca" }, { tls: { caFile: "/ca" } }],
  [{ CONSUL_HTTP_SSL: "false", CONSUL_CACERT: "/ca" }, {}],
  [{ CONSUL_CACERT: "/ca" }, {}],
  [
    { CONSUL_HTTP_SSL: "true", CONSUL_CLIENT_CERT: "/c", CONSUL_CLIENT_KEY: "/k", CONSUL_TLS_SERVER_NAME: "consul" },
    { tls: { certFile: "/c", keyFile: "/k", serverName: "consul" } },
  ],
];
for (const [env, want] of environments) {
  test(`the environment ${JSON.stringify(env)}`, () => assert.deepEqual(readConsulEnvironment(env), want));
}

test("an agent or credentials that cannot be are refused, and no secret is repeated", () => {
  const agent = { host: "127.0.0.1", port: 8500 };
  const wrong: readonly [Parameters<typeof validateConsulAccess>[0], RegExp][] = [
    [{ agent: { ...agent, host: "[::1]" }, credentials: {} }, /agent\.host must be .* without brackets, got "\[::1\]"/],
    [{ agent: { ...agent, host: "http://x" }, credentials: {} }, /agent\.host/],
    [{ agent: { ...agent, port: 0 }, credentials: {} }, /agent\.port must be from 1 to 65535, got 0/],
    [{ agent, credentials: { token: "secret", tokenFile: "/f" } }, /give token or tokenFile, not both$/],
    [{ agent, credentials: { tls: { certFile: "/c" } } }, /tls\.certFile and tls\.keyFile go together$/],
  ];
  for (const [access, message] of wrong)
    assert.throws(() => validateConsulAccess(access), { name: "RangeError", message });
  for (const host of ["::1", "consul.service.consul", "127.0.0.1"]) {
    validateConsulAccess({ agent: { ...agent, host }, credentials: {} });
  }
});

test("a token file is read again after 60 s and when it is distrusted; one that is gone is named", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "consul-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  const clock = new ManualClock();
  const files = new CredentialFiles({ tokenFile }, clock);
  const read = async () => (await files.read()).token;
  await assert.rejects(read(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "target");
    assert.match(error.message, /^consul: read the credentials: ENOENT.*token/);
    return true;
  });
  writeFileSync(tokenFile, "one\n");
  assert.equal(await read(), "one");
  writeFileSync(tokenFile, "two\n");
  clock.advance(59_999);
  assert.equal(await read(), "one");
  clock.advance(1);
  assert.equal(await read(), "two");
  writeFileSync(tokenFile, "three");
  files.distrust();
  assert.equal(await read(), "three");
});
