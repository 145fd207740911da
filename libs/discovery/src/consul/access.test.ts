import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import {
  type ConsulCredentials,
  CredentialFiles,
  readConsulEnvironment,
  resolveTenancy,
  validateConsulAccess,
  warnOfPlainSecrets,
} from "./access.ts";

const environments: readonly [Record<string, string>, ConsulCredentials][] = [
  [{}, {}],
  [{ CONSUL_HTTP_TOKEN: "t" }, { token: "t" }],
  [{ CONSUL_HTTP_TOKEN: "t", CONSUL_HTTP_TOKEN_FILE: "/f" }, { tokenFile: "/f" }],
  [{ CONSUL_HTTP_TOKEN: "", CONSUL_HTTP_TOKEN_FILE: "" }, {}],
  [{ CONSUL_HTTP_SSL: "true" }, { tls: {} }],
  [{ CONSUL_HTTP_SSL: "1", CONSUL_CACERT: "/ca" }, { tls: { caFile: "/ca" } }],
  [{ CONSUL_HTTP_SSL: "false", CONSUL_CACERT: "/ca" }, {}],
  [{ CONSUL_HTTP_ADDR: "http://127.0.0.1:8500", CONSUL_CACERT: "/ca" }, {}],
  [{ CONSUL_HTTP_ADDR: "127.0.0.1:8500" }, {}],
  [{ CONSUL_CACERT: "/ca" }, { tls: { caFile: "/ca" } }],
  [{ CONSUL_CAPATH: "/cas" }, { tls: { caPath: "/cas" } }],
  [{ CONSUL_CLIENT_CERT: "/c", CONSUL_CLIENT_KEY: "/k" }, { tls: { certFile: "/c", keyFile: "/k" } }],
  [{ CONSUL_HTTP_ADDR: "https://consul:8501" }, { tls: {} }],
  [{ CONSUL_HTTP_ADDR: "HTTPS://consul:8501", CONSUL_HTTP_SSL: "false" }, { tls: {} }],
  [{ CONSUL_HTTP_ADDR: "http://consul:8501", CONSUL_HTTP_SSL: "true" }, { tls: {} }],
  [{ CONSUL_HTTP_SSL: "true", CONSUL_HTTP_SSL_VERIFY: "false" }, { tls: { verify: false } }],
  [{ CONSUL_HTTP_SSL_VERIFY: "false", CONSUL_TLS_SERVER_NAME: "consul" }, {}],
  [{ CONSUL_HTTP_AUTH: "me:secret" }, { basicAuth: "me:secret" }],
  [
    { CONSUL_HTTP_SSL: "true", CONSUL_CLIENT_CERT: "/c", CONSUL_CLIENT_KEY: "/k", CONSUL_TLS_SERVER_NAME: "consul" },
    { tls: { certFile: "/c", keyFile: "/k", serverName: "consul" } },
  ],
];
for (const [env, want] of environments) {
  test(`the environment ${JSON.stringify(env)}`, () => assert.deepEqual(readConsulEnvironment(env), want));
}

test("an agent or credentials that are not valid are refused, and no secret is repeated", () => {
  const agent = { host: "127.0.0.1", port: 8500 };
  const wrong: readonly [Parameters<typeof validateConsulAccess>[0], RegExp][] = [
    [{ agent: { ...agent, host: "[::1]" }, credentials: {} }, /agent\.host must be .* without brackets, got "\[::1\]"/],
    [{ agent: { ...agent, host: "http://x" }, credentials: {} }, /agent\.host/],
    [{ agent: { ...agent, port: 0 }, credentials: {} }, /agent\.port must be from 1 to 65535, got 0/],
    [{ agent, credentials: { token: "secret", tokenFile: "/f" } }, /give token or tokenFile, not both$/],
    [{ agent, credentials: { tls: { certFile: "/c" } } }, /tls\.certFile and tls\.keyFile go together$/],
  ];
  for (const [access, message] of wrong) {
    assert.throws(() => validateConsulAccess(access), { name: "RangeError", message });
  }
  const withUser = { agent: { ...agent, host: "me:hunter2@consul" }, credentials: {} };
  assert.throws(() => validateConsulAccess(withUser), { message: /got "…@consul"$/ });
  for (const host of ["::1", "consul.service.consul", "127.0.0.1"]) {
    validateConsulAccess({ agent: { ...agent, host }, credentials: {} });
  }
});

test("a token file is read again after 60 s and when it is invalidated; one that is missing is named", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "consul-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  const clock = new ManualClock();
  const files = new CredentialFiles({ tokenFile }, clock);
  const read = async () => (await files.read()).token;
  await assert.rejects(read(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "notFound");
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
  files.invalidate();
  assert.equal(await read(), "three");
});

test("a folder of authorities is read with the folders in it, unless a file is given", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "consul-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "more"));
  writeFileSync(join(folder, "b.pem"), "B");
  writeFileSync(join(folder, "more", "a.pem"), "A");
  const caFile = join(folder, "b.pem");
  const read = async (tls: ConsulCredentials["tls"]) =>
    (await new CredentialFiles(tls ? { tls } : {}, new ManualClock()).read()).tls.ca;
  assert.equal(await read({ caPath: folder }), "B\nA");
  assert.equal(await read({ caPath: folder, caFile }), "B");
  await assert.rejects(
    read({ caPath: join(folder, "none") }),
    /^DiscoveryError: consul: read the credentials: ENOENT.*none/,
  );
});

test("a folder of authorities may have links, as a mounted Secret has", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "consul-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "..2026"));
  writeFileSync(join(folder, "..2026", "ca.pem"), "A");
  symlinkSync("..2026", join(folder, "..data"));
  symlinkSync("..data/ca.pem", join(folder, "ca.pem"));
  const { tls } = await new CredentialFiles({ tls: { caPath: folder } }, new ManualClock()).read();
  assert.match(String(tls.ca), /^A(\nA)*$/);
});

test("namespace and partition are those given, else those of the environment", () => {
  const env = { CONSUL_NAMESPACE: "team", CONSUL_PARTITION: "eu" };
  assert.deepEqual(resolveTenancy({}, env), { namespace: "team", partition: "eu" });
  assert.deepEqual(resolveTenancy({ namespace: "own", partition: undefined }, env), {
    namespace: "own",
    partition: "eu",
  });
  assert.deepEqual(resolveTenancy({}, { CONSUL_NAMESPACE: "" }), { namespace: undefined, partition: undefined });
  assert.throws(() => resolveTenancy({ namespace: "" }, env), {
    name: "RangeError",
    message: "namespace must not be empty",
  });
});

test("a token or password in clear to another host is warned of once, and not repeated", async (t) => {
  const warnings: (Error & { readonly name: string })[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const warn = async (host: string, credentials: ConsulCredentials) => {
    const before = warnings.length;
    warnOfPlainSecrets({ agent: { host, port: 8500 }, credentials });
    await turn();
    return warnings.slice(before).map(({ name, message }) => `${name}: ${message}`);
  };
  const secret = { token: "hunter2" };
  const advice = "without TLS; set credentials.tls, CONSUL_HTTP_SSL or CONSUL_CACERT";
  assert.deepEqual(await warn("consul.one", secret), [
    `GrpcLbWarning: consul: the token is sent to consul.one:8500 ${advice}`,
  ]);
  assert.deepEqual(await warn("consul.one", secret), [], "once");
  assert.equal((await warn("consul.two", { tokenFile: "/f" })).length, 1);
  assert.match((await warn("consul.three", { basicAuth: "me:hunter2" }))[0] ?? "", /the password is sent/);
  for (const host of ["localhost", "a.localhost", "127.0.0.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"]) {
    assert.deepEqual(await warn(host, secret), [], host);
  }
  assert.deepEqual(await warn("consul.four", { ...secret, tls: {} }), [], "TLS");
  assert.deepEqual(await warn("consul.four", {}), [], "nothing secret");
});
