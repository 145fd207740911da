import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import tls, { type TLSSocket } from "node:tls";
import { ManualClock, makeTwoAuthorities } from "@grpc-lb/core/testing";
import { openTokenFile } from "@grpc-lb/operations/auth";
import { onlySend } from "@grpc-lb/operations/telemetry";
import { type CredentialFiles, openClientTls, ReloadingCredentials } from "@grpc-lb/operations/tls";
import { runToEnd } from "@grpc-lb/program/testing";
import { callOverFreshConnections } from "./fresh-connection.ts";
import type { Identity } from "./identity.ts";
import { withTls } from "./target.ts";

const main = `${import.meta.dirname}/main.ts`;
const { authority, other, options } = makeTwoAuthorities(after);

const callWith = (url: URL, identity: Identity) =>
  callOverFreshConnections(url, 10_000, { observe: onlySend, identity });

async function listen(server: Server): Promise<URL> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/pod`);
}

test("each call has the certificate and the token of now, and a failed handshake says why", options, async (t) => {
  assert.ok(authority && other);
  const folder = mkdtempSync(join(tmpdir(), "client-http-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [cert, key, tokenFile] = [join(folder, "cert"), join(folder, "key"), join(folder, "token")];
  const use = (name: string) => {
    const { certFile, keyFile } = (authority as NonNullable<typeof authority>).issue(name);
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
  };
  use("one");
  writeFileSync(tokenFile, "the-token\n");
  const own = authority.issue("server", { hosts: ["server"] });
  const server = createServer(
    {
      cert: readFileSync(own.certFile),
      key: readFileSync(own.keyFile),
      ca: readFileSync(authority.caFile),
      requestCert: true,
    },
    ({ socket, headers }, response) => {
      const { subject } = (socket as TLSSocket).getPeerX509Certificate() ?? {};
      response.end(`${subject?.replace("CN=", "")}-${headers.authorization?.replace("Bearer ", "")}`);
    },
  );
  const url = await listen(server);
  t.after(() => server.close());
  const clock = new ManualClock();
  const open = async (files: CredentialFiles) => {
    const tls = await ReloadingCredentials.open(files, { clock });
    t.after(() => tls.close());
    return tls;
  };
  const token = await openTokenFile(tokenFile);
  const tls = await open({ cert, key, ca: authority.caFile });
  const caller = callWith(url, { tls, serverName: "server", token });
  assert.equal(await caller.call(), "one-the-token");
  use("two");
  await clock.asleep();
  clock.advance(5_000);
  await clock.asleep();
  assert.equal(await caller.call(), "two-the-token");

  const fail = async (files: CredentialFiles, serverName: string) => {
    const { call } = callWith(url, { tls: await open(files), serverName, token });
    const error: Error = await call().then(assert.fail, (reason) => reason);
    assert.ok(!error.message.includes("the-token"));
    return error.message.replace(/^GET https:\/\/127\.0\.0\.1:\d+\/pod: /, "");
  };
  assert.match(await fail({ ca: other.caFile }, ""), /^no trusted authority has signed the server's certificate/);
  assert.match(
    await fail({ ca: authority.caFile }, "x.test"),
    /^the server's certificate is for .*, not for x\.test; /,
  );
  assert.match(
    await fail({ ca: authority.caFile }, ""),
    /^the server wants a client certificate: --tls-cert, --tls-key$/,
  );
  const foreign = other.issue("foreign");
  assert.equal(
    await fail({ ca: authority.caFile, cert: foreign.certFile, key: foreign.keyFile }, "server"),
    "socket hang up; the server may refuse the client's certificate",
  );
  // As under load: the client has sent its request before the server closes the connection.
  const raw: Socket[] = [];
  server.on("connection", (socket) => raw.push(socket as Socket));
  server.once("secureConnection", () => raw.pop()?.resetAndDestroy());
  assert.equal(
    await fail({ cert, key, ca: authority.caFile }, "server"),
    "read ECONNRESET; the server may refuse the client's certificate",
  );
  rmSync(tokenFile);
  for (const [path, reason] of [
    [tokenFile, /^cannot read the token file .*token: no such file$/],
    [folder, /^cannot read the token file .*: a folder, not a file$/],
    ["/dev/null", /^the token file \/dev\/null is empty$/],
  ] as const) {
    await assert.rejects(openTokenFile(path), { name: "ProgramError", exitCode: 2, message: reason });
  }
});

test("each call verifies the server's certificate: it resumes no session of an earlier one", options, async (t) => {
  assert.ok(authority);
  const { certFile, keyFile } = authority.issue("tickets", { hosts: ["server"] });
  const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const reused: boolean[] = [];
  const server = createServer(pair, ({ socket }, response) => {
    reused.push((socket as TLSSocket).isSessionReused());
    response.end("a");
  });
  const url = await listen(server);
  const credentials = await ReloadingCredentials.open({ ca: authority.caFile }, { clock: new ManualClock() });
  t.after(() => Promise.all([server.close(), credentials.close()]));
  const { call } = callWith(url, { tls: credentials, serverName: "server", token: undefined });
  for (let n = 0; n < 3; n++) assert.equal(await call(), "a");
  assert.deepEqual(reused, [false, false, false]);
});

test("TLS 1.1 is refused, also where Node's default allows it", options, async (t) => {
  assert.ok(authority);
  const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
  t.after(() => Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }));
  Object.assign(tls, { DEFAULT_MIN_VERSION: "TLSv1", DEFAULT_CIPHERS: "ALL:@SECLEVEL=0" }); // as NODE_OPTIONS would
  const { certFile, keyFile } = authority.issue("old", { hosts: ["server"] });
  const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createServer({ ...pair, maxVersion: "TLSv1.1" }, (_request, response) => response.end("a"));
  const url = await listen(server);
  const credentials = await ReloadingCredentials.open({ ca: authority.caFile }, { clock: new ManualClock() });
  t.after(() => Promise.all([server.close(), credentials.close()]));
  const identity = { tls: credentials, serverName: "server", token: undefined };
  await assert.rejects(callWith(url, identity).call(), /the server does not speak TLS 1\.2 or newer$/);
});

test("--tls makes the target's URL https, at the same port", () => {
  const withScheme = (text: string) => {
    const target = withTls({ t: "url", url: new URL(text) });
    return target.t === "url" ? target.url.href : target;
  };
  assert.deepEqual(["http://server/pod", "http://server:8080/pod", "https://server/pod"].map(withScheme), [
    "https://server:80/pod",
    "https://server:8080/pod",
    "https://server/pod",
  ]);
});

test("TLS flags that have no effect, or whose files cannot be used, are one line with exit code 2", async () => {
  const none = { tls: false, tlsCa: "", tlsCert: "", tlsKey: "", serverName: "" };
  for (const [flags, message] of [
    [{ tlsCa: "ca.crt" }, "--tls-ca has no effect without --tls"],
    [{ serverName: "server" }, "--server-name has no effect without --tls"],
    [{ tls: true, tlsCert: "x" }, "--tls-cert needs --tls-key"],
  ] as const) {
    await assert.rejects(openClientTls({ ...none, ...flags }, {}), { name: "ProgramError", exitCode: 2, message });
  }
  const { code, stdout, stderr } = await runToEnd(main, ["--target", "https://server", "--tls-ca", "/none"]);
  assert.deepEqual([code, stdout, stderr], [2, [], ["client-http: CA certificate /none: no such file"]]);
});
