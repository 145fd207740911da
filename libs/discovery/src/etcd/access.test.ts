import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { inspect } from "node:util";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft, makeCertificates, turn, until } from "@grpc-lb/core/testing";
import { KVService, RangeRequest, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { sourceIn } from "../../testing/context.ts";
import { EtcdServer, type EtcdServerOptions, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { goValue, sourceOf } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { parseEtcdEndpoints } from "./access.ts";
import { Cluster } from "./cluster.ts";
import { type EtcdCredentials, readEtcdEnvironment, registerInEtcd } from "./index.ts";
import { defineEtcdSource } from "./source.ts";

after(assertNothingLeft);

const skip = etcdIsMissing ?? false;
const certificates = skip ? undefined : makeCertificates("etcd.example");
const skipTls = skip || (certificates ? false : "there is no openssl to make certificates with");
process.once("exit", () => certificates?.remove());

/** A folder and an etcd for the time of one test. */
async function using(options: EtcdServerOptions, run: (server: EtcdServer, folder: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-"));
  const server = await EtcdServer.start(options);
  try {
    await run(server, folder);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

async function errorOf(server: EtcdServer, credentials: EtcdCredentials): Promise<string> {
  const reader = new SnapshotReader(sourceOf(server, "s", credentials));
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  await reader.close();
  return `${error?.code}: ${error?.message}`;
}

// Each has a server of its own, and waits for it most of the time.
describe("credentials for a real etcd", { concurrency: 4 }, () => {
  test("an error of permission names user, range and cluster; a password file is read again", { skip }, () =>
    using({}, async (server, folder) => {
      await server.enableAuth();
      await server.addUser("reader", "secret");
      await server.addRole("other", "other/", "READ");
      await server.grantRole("reader", "other");
      const where = `list s/ on ${server.endpoint}`;
      const wrong = { user: "reader", password: "wrong" };
      assert.equal(
        await errorOf(server, wrong),
        `permissionDenied: etcd: ${where} as user reader: etcdserver: authentication failed, invalid user ID or password`,
      );
      assert.equal(await errorOf(server, {}), `permissionDenied: etcd: ${where}: etcdserver: user name is empty`);
      const passwordFile = join(folder, "password");
      assert.match(
        await errorOf(server, { user: "reader", passwordFile }),
        /^permissionDenied: .* the password cannot be read: ENOENT/,
      );
      writeFileSync(passwordFile, "secret\n");
      const right = { user: "reader", passwordFile };
      assert.equal(
        await errorOf(server, right),
        `permissionDenied: etcd: ${where} as user reader: etcdserver: permission denied`,
      );
      const reader = new SnapshotReader(sourceOf(server, "s", right));
      await reader.until("an error", ({ error }) => error !== undefined);
      await server.addRole("s", "s/", "READ");
      await server.grantRole("reader", "s");
      await server.put("s/1", goValue("10.0.0.1:80"));
      await reader.untilAddresses("10.0.0.1:80");
      const instance = { service: "s", address: { host: "10.0.0.2", port: 80 } };
      const registration = registerInEtcd({ endpoints: [server.endpoint], credentials: right, instance });
      await until(() => registration.stats.error !== undefined, "an error");
      assert.match(
        registration.stats.error ?? "",
        /^etcd: write s\/10\.0\.0\.2:80 on .* as user reader: .*permission denied$/,
      );
      await registration.close();
      await reader.close();
    }),
  );

  test("an etcd without users ignores the user", { skip }, () =>
    using({}, async (server) => {
      const reader = new SnapshotReader(sourceOf(server, "s", { user: "reader", password: "secret" }));
      await reader.untilAddresses();
      assert.equal(reader.last?.error, undefined);
      await reader.close();
    }),
  );

  test("the call that finds its token expired renews it", { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "grpc-lb-"));
    const [key, pub] = [join(folder, "key.pem"), join(folder, "pub.pem")];
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2_048,
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    writeFileSync(key, privateKey);
    writeFileSync(pub, publicKey);
    const token = `jwt,pub-key=${pub},priv-key=${key},sign-method=RS256,ttl=1s`;
    await using({ args: ["--auth-token", token] }, async (server) => {
      await server.enableAuth();
      const access = { endpoints: [server.endpoint], credentials: { user: "root", password: "root" } };
      const cluster = new Cluster(access, systemClock, Math.random);
      const signal = new AbortController().signal;
      // Its time is in whole seconds, so that after two of them the first is over for certain.
      for (const dueMs = performance.now() + 2_100; performance.now() < dueMs; ) {
        const request = RangeRequest.fromPartial({ key: Buffer.from("k") });
        await cluster.call(KVService.range, request, { what: "read k", timeoutMs: 5_000, signal });
      }
      await cluster.close();
    });
    rmSync(folder, { recursive: true });
  });

  test("TLS with a private authority, by address and by name, and with a client certificate", {
    skip: skipTls,
  }, async () => {
    if (!certificates) return;
    const { caFile, server: pair, client } = certificates;
    await using({ tls: { ...pair, caFile, requiresClientCertificate: true } }, async (server) => {
      await server.put("s/1", goValue("10.0.0.1:80"));
      for (const more of [{}, { serverName: "etcd.example" }]) {
        const reader = new SnapshotReader(sourceOf(server, "s", { tls: { caFile, ...client, ...more } }));
        await reader.untilAddresses("10.0.0.1:80");
        await reader.close();
      }
      const message = await errorOf(server, { tls: { ...client } });
      assert.match(
        message,
        /^unavailable: etcd: list s\/ on .*: no trusted authority .*; ETCDCTL_CACERT \(tls\.caFile\)/,
      );
      assert.match(
        await errorOf(server, { tls: { caFile, ...client, serverName: "other.example" } }),
        /the server's certificate is for .*, not for other\.example; .* host of the endpoint \(tls\.serverName\)$/,
      );
      assert.match(
        await errorOf(server, { tls: { caFile } }),
        /^unavailable: .*certificate.*: ETCDCTL_CERT and ETCDCTL_KEY/,
      );
      assert.match(
        await errorOf(server, { tls: { caFile: "/nowhere/ca.pem" } }),
        /^permissionDenied: etcd: a TLS file for .* cannot be read: ENOENT/,
      );
      assert.match(await errorOf(server, {}), /^unavailable: .*it may speak TLS: ETCDCTL_CACERT/);
    });
  });

  test("a source uses TLS files that appear later", { skip: skipTls }, async () => {
    if (!certificates) return;
    const { server: pair, caFile } = certificates;
    await using({ tls: { ...pair, caFile } }, async (server, folder) => {
      const later = join(folder, "ca.pem");
      const reader = new SnapshotReader(sourceOf(server, "s", { tls: { caFile: later } }));
      await reader.until("an error", ({ error }) => error?.code === "permissionDenied");
      copyFileSync(caFile, later);
      await reader.untilAddresses();
      await reader.close();
    });
  });
});

test("the environment variables are those of etcdctl", () => {
  const cases: readonly [NodeJS.ProcessEnv, EtcdCredentials][] = [
    [{}, {}],
    [{ ETCDCTL_USER: "u:p:q" }, { user: "u", password: "p:q" }],
    [
      { ETCDCTL_USER: "u", ETCDCTL_PASSWORD: "p" },
      { user: "u", password: "p" },
    ],
    [
      { ETCDCTL_USER: "u", ETCDCTL_PASSWORD_FILE: "/p" },
      { user: "u", passwordFile: "/p" },
    ],
    [{ ETCDCTL_CACERT: "/ca" }, { tls: { caFile: "/ca" } }],
    [{ ETCDCTL_CERT: "/c", ETCDCTL_KEY: "/k", ETCDCTL_CACERT: "" }, { tls: { certFile: "/c", keyFile: "/k" } }],
    [{ ETCDCTL_INSECURE_TRANSPORT: "false" }, { tls: {} }],
  ];
  for (const [env, credentials] of cases) assert.deepEqual(readEtcdEnvironment(env), credentials);
});

test("a password that leaves the machine without TLS is warned of once for a cluster, without the password", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  const login = { user: "reader", password: "hunter2" };
  const cases: readonly [readonly string[], EtcdCredentials][] = [
    [["etcd.example:2379", "127.0.0.1:2379"], login],
    [["etcd.example:2379", "127.0.0.1:2379"], login], // the second time
    [["tls.example"], { ...login, tls: {} }],
    [["plain.example"], {}],
    [["127.0.0.1", "127.9.9.9", "[::1]", "[0:0:0:0:0:0:0:1]", "localhost", "etcd.localhost"], login],
    [["[fd00::1]"], { user: "reader", passwordFile: "/run/secrets/etcd" }],
  ];
  for (const [endpoints, credentials] of cases) new Cluster({ endpoints, credentials }, systemClock, Math.random);
  await turn();
  process.off("warning", onWarning);
  const advice = "without TLS; set credentials.tls or ETCDCTL_CACERT";
  assert.deepEqual(
    warnings.map(({ message }) => message),
    [
      `etcd: the password of user reader is sent to etcd.example:2379 ${advice}`,
      `etcd: the password of user reader is sent to [fd00::1]:2379 ${advice}`,
    ],
  );
});

for (const text of [
  "root:hunter2@h:2379",
  "root%3Ahunter2%40h:2379",
  "http://root:hunter2@h:2379",
  "http://h:2379?password=hunter2",
  "http://h:2379/hunter2",
  "root:hunter2",
  "password=hunter2",
  "hunter2 h:2379",
  "h:2379/hunter2",
]) {
  test(`the error for the endpoint ${text} does not repeat the secret`, () => {
    assert.throws(
      () => parseEtcdEndpoints([text]),
      ({ name, message, cause }: Error) => name === "RangeError" && !`${message} ${cause}`.includes("hunter2"),
    );
  });
}

test("a message of the server that repeats the password or the token is an error without them, in any place", async () => {
  const fake = await FakeEtcd.start();
  const password = 'hun"ter2/+';
  const spellings = [password, JSON.stringify(password), encodeURIComponent(password), btoa(password), "token.12345"];
  const details = `refused: ${spellings.join(" ")}`;
  const credentials = { user: "root", password };
  const deadlines = { random: () => 0.01, answerTimeoutMs: 2_000 };
  const source = sourceIn(defineEtcdSource, { endpoints: [fake.endpoint], service: "s", credentials, ...deadlines });
  const reader = new SnapshotReader(source);
  const places: readonly (() => void)[] = [
    () => {
      fake.onRange = () => {
        throw { code: 2, details };
      };
    },
    () => {
      fake.onRange = () => ({ header: { revision: 5n } });
      fake.onWatch = (watch) =>
        watch.write(WatchResponse.fromPartial({ created: true, canceled: true, cancelReason: details }));
    },
    () => {
      fake.onLogin = () => {
        throw { code: 3, details };
      };
    },
  ];
  fake.onLogin = () => "token.12345";
  for (const place of places) {
    const before = reader.snapshots.length;
    place();
    await until(() => reader.snapshots.slice(before).some(({ error }) => error), "an error");
  }
  await reader.close();
  fake.close();
  const errors = reader.snapshots.flatMap(({ error }) => (error ? [error] : []));
  assert.ok(errors.length >= 3 && errors.every(({ message }) => message.includes("refused: … ")));
  for (const error of errors) {
    const text = `${error.message} ${error.cause} ${inspect(error)}`;
    assert.ok(!spellings.some((spelling) => text.includes(spelling.replaceAll("=", ""))), text);
  }
});
