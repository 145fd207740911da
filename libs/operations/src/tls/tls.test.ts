import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { connect, createSecureContext, type SecureVersion } from "node:tls";
import { ChannelCredentials, credentials, Metadata, Server, type ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, type CertificatePair, ManualClock, makeTwoAuthorities } from "@grpc-lb/core/testing";
import { PodServiceClient, type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { createChannelCredentials, createServerCredentials } from "./grpc/index.ts";
import {
  CredentialError,
  clientTlsFlags,
  describeHandshakeFailure,
  keepCurrent,
  ReloadingCredentials,
  readCredentials,
  tlsServerOptions,
} from "./index.ts";

const { authority, other, options } = makeTwoAuthorities(after);
const hosts = ["localhost", "server.default"];
const past = new Date("2020-01-02T00:00:00Z");

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-tls-test-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A folder as the kubelet mounts a Secret: the files are links into `..data`, itself a link that is swapped. */
function createSecretMount(t: TestContext) {
  const folder = makeFolder(t);
  let version = 0;
  const swap = ({ certFile, keyFile }: CertificatePair, caFile: string) => {
    const data = join(folder, `..${++version}`);
    mkdirSync(data);
    copyFileSync(certFile, join(data, "tls.crt"));
    copyFileSync(keyFile, join(data, "tls.key"));
    copyFileSync(caFile, join(data, "ca.crt"));
    symlinkSync(`..${version}`, join(folder, "..new"));
    renameSync(join(folder, "..new"), join(folder, "..data"));
  };
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key"), ca: join(folder, "ca.crt") };
  for (const file of ["tls.crt", "tls.key", "ca.crt"]) symlinkSync(`..data/${file}`, join(folder, file));
  return { folder, files, swap };
}

async function open(t: TestContext, files: Parameters<typeof readCredentials>[0]) {
  const clock = new ManualClock();
  const said: string[] = [];
  const store = await ReloadingCredentials.open(files, {
    clock,
    onReload: () => said.push("reloaded"),
    onProblem: (message) => said.push(message),
  });
  t.after(() => store.close());
  /** Reads the files now; resolves when that has ended. */
  const refresh = async () => {
    await clock.asleep();
    clock.advance(5_000);
    await clock.asleep();
    return said.splice(0);
  };
  return { store, refresh };
}

async function serve(t: TestContext, serverCredentials: ServerCredentials): Promise<number> {
  const server = new Server();
  const service: PodServiceServer = {
    // The address of the client shows on which connection a call came.
    getPod: (call, respond) =>
      respond(null, { pod: { name: "a", namespace: "", node: "", zone: "", ip: call.getPeer(), version: "" } }),
  };
  server.addService(PodServiceService, service);
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", serverCredentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function client(t: TestContext, port: number, channelCredentials: ChannelCredentials, name = "localhost") {
  const channelOptions = {
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.ssl_target_name_override": name,
    "grpc.initial_reconnect_backoff_ms": 1,
  };
  const pods = new PodServiceClient(`127.0.0.1:${port}`, channelCredentials, channelOptions);
  t.after(() => pods.close());
  const connections = new Set<string>();
  const call = () =>
    new Promise<string>((resolve) => {
      pods.getPod({}, new Metadata(), { deadline: Date.now() + 10_000 }, (error, response) => {
        if (!error) connections.add(response.pod?.ip ?? "");
        resolve(error ? (describeHandshakeFailure(error.details) ?? error.details) : (response.pod?.name ?? ""));
      });
    });
  return Object.assign(call, { connections });
}

/** The serial number of the certificate that a new connection gets. */
function serialAt(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const connect = { host: "127.0.0.1", port, ca, servername: "localhost", agent: false, ALPNProtocols: ["h2"] };
    const attempt = request(connect).on("error", reject);
    attempt.on("socket", (socket) =>
      socket.once("secureConnect", () => {
        resolve((socket as import("node:tls").TLSSocket).getPeerX509Certificate()?.serialNumber ?? "");
        attempt.on("error", () => {}).destroy();
      }),
    );
  });
}

test("a Secret's swap reaches new connections of servers and channels, and no call fails", options, async (t) => {
  assert.ok(authority && other);
  const { files, swap } = createSecretMount(t);
  const first = authority.issue("first", { hosts });
  swap(first, authority.caFile);
  const { store, refresh } = await open(t, files);
  const port = await serve(t, createServerCredentials(store));
  const ca = readFileSync(authority.caFile, "utf8");
  const kept = client(t, port, createChannelCredentials(store));
  assert.equal(await kept(), "a");
  const foreign = client(t, port, createChannelCredentials(store), "10.0.0.1");
  assert.match(
    await foreign(),
    /^the server's certificate is for 127\.0\.0\.1, localhost, .*not for 10\.0\.0\.1; --server-name /,
  );
  const serial = await serialAt(port, ca);

  let isDone = false;
  const outcomes = new Set<string>();
  const calling = (async () => {
    for (; !isDone; ) outcomes.add(await kept());
  })();
  swap(authority.issue("second", { hosts }), authority.caFile);
  assert.deepEqual(await refresh(), ["reloaded"]);
  assert.notEqual(await serialAt(port, ca), serial);
  assert.deepEqual(await refresh(), [], "the same files are no news");

  // Another authority for both sides: the open connection stays, and the channel connects with what the files have now.
  swap(other.issue("third", { hosts }), other.caFile);
  assert.deepEqual(await refresh(), ["reloaded"]);
  assert.equal(await client(t, port, createChannelCredentials(store))(), "a");
  const stale = ChannelCredentials.createFromSecureContext(
    createSecureContext({ ca, cert: readFileSync(first.certFile), key: readFileSync(first.keyFile) }),
  );
  assert.match(await client(t, port, stale)(), /^no trusted authority has signed the server's certificate/);
  isDone = true;
  await calling;
  assert.deepEqual([[...outcomes], kept.connections.size], [["a"], 1]);
});

test("files that cannot be used leave the last good ones, and are reported once", options, async (t) => {
  assert.ok(authority);
  const folder = makeFolder(t);
  const files = { cert: join(folder, "c"), key: join(folder, "k") };
  const use = (pair: CertificatePair) => {
    copyFileSync(pair.certFile, files.cert);
    copyFileSync(pair.keyFile, files.key);
  };
  use(authority.issue("one", { hosts }));
  const { store, refresh } = await open(t, files);
  const port = await serve(t, createServerCredentials(store));
  const before = store.current;
  const next = authority.issue("two", { hosts });
  const whole = readFileSync(next.certFile, "utf8");
  for (const [what, message] of [
    [() => writeFileSync(files.cert, whole.slice(0, 200)), `certificate ${files.cert}: not a certificate in PEM`],
    [() => writeFileSync(files.cert, whole), `private key ${files.key}: does not belong to certificate ${files.cert}`],
    [() => rmSync(files.key), `private key ${files.key}: no such file`],
    [
      () => use(authority.issue("old", { hosts, expires: past })),
      `certificate ${files.cert}: expired on 2020-01-02T00:00:00Z`,
    ],
  ] as const) {
    what();
    assert.deepEqual([await refresh(), await refresh()], [[message], []]);
    assert.equal(store.current, before);
  }
  const ca = readFileSync(authority.caFile);
  assert.equal(await client(t, port, credentials.createSsl(ca))(), "a", "new connections succeed");
  use(next);
  assert.deepEqual(await refresh(), ["reloaded"]);
  await store.close();
});

test(
  "a server resumes no session, because the client's certificate would not be verified again",
  options,
  async (t) => {
    assert.ok(authority);
    const { files, swap } = createSecretMount(t);
    swap(authority.issue("one", { hosts }), authority.caFile);
    const { store, refresh } = await open(t, files);
    const http = createServer(tlsServerOptions(store), (_request, response) => response.end("a")).listen(
      0,
      "127.0.0.1",
    );
    t.after(() => http.close());
    keepCurrent(http, store);
    const ports = [await serve(t, createServerCredentials(store)), (http.address() as AddressInfo).port];
    const { certFile, keyFile } = authority.issue("client");
    const [ca, cert, key] = [authority.caFile, certFile, keyFile].map((file) => readFileSync(file));
    const connectWith = (port: number, maxVersion: SecureVersion, session?: Buffer) =>
      new Promise<{ session: Buffer | undefined; isReused: boolean }>((resolve, reject) => {
        const identity = { ca, cert, key, servername: "localhost", session };
        const ALPNProtocols = port === ports[0] ? ["h2"] : ["http/1.1"];
        const socket = connect({ host: "127.0.0.1", port, maxVersion, ALPNProtocols, ...identity }).on("error", reject);
        socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        // What comes first is behind the tickets of TLS 1.3.
        socket.once("data", () => {
          resolve({ session: socket.getSession(), isReused: socket.isSessionReused() });
          socket.destroy();
        });
      });
    const requireNone = async () => {
      for (const port of ports) {
        for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
          const { session } = await connectWith(port, version);
          assert.equal((await connectWith(port, version, session)).isReused, false, `${version} on ${port}`);
        }
      }
    };
    await requireNone();
    swap(authority.issue("two", { hosts }), authority.caFile);
    assert.deepEqual(await refresh(), ["reloaded"]);
    await requireNone();
  },
);

test("a refused handshake says why", options, async (t) => {
  assert.ok(authority && other);
  const { certFile, keyFile } = authority.issue("server", { hosts });
  const { store } = await open(t, { cert: certFile, key: keyFile });
  const { store: mutual } = await open(t, { cert: certFile, key: keyFile, ca: authority.caFile });
  const old = authority.issue("expired", { hosts, expires: past });
  const port = await serve(t, createServerCredentials(store));
  const mutualPort = await serve(t, createServerCredentials(mutual));
  const ca = readFileSync(authority.caFile);
  const expired = { private_key: readFileSync(old.keyFile), cert_chain: readFileSync(old.certFile) };
  const { ServerCredentials: Insecure } = await import("@grpc/grpc-js");
  const expiredPort = await serve(t, Insecure.createSsl(null, [expired]));
  const plainPort = await serve(t, Insecure.createInsecure());
  const trusting = credentials.createSsl(ca);
  const tls11 = createSecureContext({ ca, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" });
  for (const [at, using, name, want] of [
    [port, credentials.createSsl(readFileSync(other.caFile)), "localhost", /^no trusted authority has signed/],
    [
      port,
      trusting,
      "other.test",
      /^the server's certificate is for 127\.0\.0\.1, localhost, .*, not for other\.test; --server-name names another$/,
    ],
    [expiredPort, trusting, "localhost", /^the server's certificate has expired$/],
    [plainPort, trusting, "localhost", /^the server does not speak TLS on this port$/],
    [mutualPort, trusting, "localhost", /^the server wants a client certificate: --tls-cert, --tls-key$/],
    [
      port,
      ChannelCredentials.createFromSecureContext(tls11),
      "localhost",
      /^the server does not speak TLS 1\.2 or newer$/,
    ],
  ] as const) {
    assert.match(await client(t, at, using, name)(), want);
  }
  const { certFile: clientCert, keyFile: clientKey } = authority.issue("client");
  const identified = credentials.createSsl(ca, readFileSync(clientKey), readFileSync(clientCert));
  assert.equal(await client(t, mutualPort, identified)(), "a");
});

test("a handshake of a source of endpoints is not explained by the flags of the client", () => {
  const reason = "self-signed certificate in certificate chain";
  assert.match(describeHandshakeFailure(reason) ?? "", /--tls-ca names the file/);
  for (const message of [`xds: watch server: ${reason}`, `service x has no ready endpoints; etcd: list: ${reason}`]) {
    assert.equal(describeHandshakeFailure(message), undefined);
  }
});

test("each file that cannot be used is named, with the reason", options, async (t) => {
  assert.ok(authority);
  const { caFile } = authority;
  const folder = makeFolder(t);
  const { certFile: cert, keyFile: key } = authority.issue("good", { hosts });
  const text = join(folder, "text");
  writeFileSync(text, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
  const locked = join(folder, "locked");
  copyFileSync(key, locked);
  chmodSync(locked, 0);
  const large = join(folder, "large");
  writeFileSync(large, "a".repeat(3_000_000));
  for (const [files, want] of [
    [{ cert: join(folder, "none"), key }, `certificate ${folder}/none: no such file`],
    [{ cert: folder, key }, `certificate ${folder}: a folder, not a file`],
    [{ cert: key, key }, `certificate ${key}: a private key, not a certificate`],
    [{ cert, key: cert }, `private key ${cert}: a certificate, not a private key`],
    [{ cert, key: text }, `private key ${text}: not a private key in PEM`],
    [{ ca: text }, `CA certificate ${text}: a private key, not a certificate`],
    [{ ca: large }, `CA certificate ${large}: it is larger than 2097152 bytes`],
    [
      { cert, key: readFileSync(key, "utf8") },
      "private key …: must be the name of a file, and looks like the content of one",
    ],
    ...(process.getuid?.() === 0
      ? []
      : ([[{ cert, key: locked }, `private key ${locked}: permission denied`]] as const)),
  ] as const) {
    await assert.rejects(readCredentials(files, Date.now()), new CredentialError(want));
  }
  await assert.rejects(
    readCredentials({ cert, key }, 0),
    new RegExp(`^CredentialError: certificate ${cert}: not valid before `),
  );
  const week = Date.now() + 7 * 86_400_000;
  await assert.rejects(
    readCredentials({ ca: caFile }, week),
    new RegExp(`^CredentialError: CA certificate ${caFile}: expired on `),
  );
  const { expiresMs = 0 } = await readCredentials({ cert, key, ca: caFile }, Date.now());
  assert.equal(Math.round((expiresMs - Date.now()) / 3_600_000), 24);
});

test("the name of a server is one that a certificate can have", () => {
  const { serverName } = clientTlsFlags;
  for (const name of ["server", "server.default.svc", "10.0.0.1", "::1", "a_b.example.com"]) {
    assert.equal(serverName.parse(name), name);
  }
  for (const name of ["bad name!", "", "a..b", "-a", "*.example.com", "http://a", "x".repeat(254)]) {
    assert.throws(
      () => serverName.parse(name),
      /^RangeError: must be a name such as server\.example\.com, or an address/,
    );
  }
});

test("closed credentials leave nothing", options, async (t) => {
  assert.ok(authority);
  const { store } = await open(t, { ca: authority.caFile });
  await store.close();
  await assertNothingLeft();
});
