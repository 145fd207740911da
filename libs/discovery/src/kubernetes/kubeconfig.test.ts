import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { assertNothingLeft, FakeProxy, ManualClock, makeCertificates, turn, until } from "@grpc-lb/core/testing";
import fc from "fast-check";
import { sourceIn } from "../../testing/context.ts";
import { setEnvironment } from "../../testing/environment.ts";
import { assertBounded, mutated } from "../../testing/fuzz.ts";
import { FakeApiServer, SnapshotReader, slice } from "../../testing/index.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { ApiClient } from "./api-client.ts";
import { createKubeconfigAccess, createKubeconfigAccessIn } from "./kubeconfig.ts";
import { createKubernetesSource, defineKubernetesSource } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
after(async () => {
  rmSync(folder, { recursive: true });
  await assertNothingLeft();
});
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
/** A kubeconfig with one context; JSON is YAML. */
function kubeconfig(user: object, cluster: object = {}, context: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443/prefix", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "here", context: { cluster: "c", user: "u", ...context } }],
  });
}

test("a server without a scheme is reached as kubectl does: by TLS where the cluster or the user has its material", async () => {
  const of = async (cluster: object, user: object = {}) => {
    const entries = { clusters: [{ name: "c", cluster }], users: [{ name: "u", user }] };
    const contexts = [{ name: "x", context: { cluster: "c", user: "u" } }];
    const text = JSON.stringify({ "current-context": "x", contexts, ...entries });
    return (await createKubeconfigAccess(file("no-scheme", text))).server.href;
  };
  assert.equal(await of({ server: "127.0.0.1:8080" }), "http://127.0.0.1:8080/");
  assert.equal(await of({ server: "localhost:8080" }), "http://localhost:8080/");
  assert.equal(await of({ server: "[::1]:8080" }), "http://[::1]:8080/");
  assert.equal(await of({ server: "h:6443", "insecure-skip-tls-verify": true }), "https://h:6443/");
  assert.equal(await of({ server: "h:6443", "certificate-authority-data": "eA==" }), "https://h:6443/");
  assert.equal(await of({ server: "h:6443" }, { "client-certificate-data": "eA==" }), "https://h:6443/");
  await assert.rejects(of({ server: "h:6443/path" }), /server is not a URL such as https:/);
});

test("another context than the current one, by its name", async () => {
  const path = file(
    "contexts",
    JSON.stringify({
      "current-context": "a",
      contexts: ["a", "b"].map((name) => ({ name, context: { cluster: name, namespace: `ns-${name}` } })),
      clusters: ["a", "b"].map((name) => ({ name, cluster: { server: `https://${name}.example` } })),
    }),
  );
  const { server, namespace } = await createKubeconfigAccess(path, "b");
  assert.deepEqual([server.host, namespace], ["b.example", "ns-b"]);
  assert.equal((await createKubeconfigAccess(path)).server.host, "a.example");
  await assert.rejects(createKubeconfigAccess(path, "c"), { message: 'kubernetes: the kubeconfig has no context "c"' });
});

test("a token; server and namespace of the current context; a token replaced in the file is seen after a denial", async () => {
  const path = file("token", kubeconfig({ token: "one" }, {}, { namespace: "prod" }));
  const access = await createKubeconfigAccess(path);
  assert.deepEqual([access.server.href, access.namespace], ["https://127.0.0.1:6443/prefix", "prod"]);
  assert.deepEqual((await access.credentials(false)).headers, { authorization: "Bearer one" });
  file("token", kubeconfig({ token: "two" }));
  assert.deepEqual((await access.credentials(false)).headers, { authorization: "Bearer one" });
  assert.deepEqual((await access.credentials(true)).headers, { authorization: "Bearer two" });
});

test("without a namespace it is default; a user name and password are Basic", async () => {
  const access = await createKubeconfigAccess(file("basic", kubeconfig({ username: "a", password: "b" })));
  assert.equal(access.namespace, "default");
  assert.equal((await access.credentials(false)).headers.authorization, "Basic YTpi");
});

test("an exec plugin is run once, again after a denial, and its failure is an error that names the context", async () => {
  const count = file("count", "");
  const plugin = file(
    "plugin.sh",
    `#!/bin/sh\necho x >> ${count}\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t-'$(wc -l < ${count} | tr -d ' ')'"}}'\n`,
  );
  chmodSync(plugin, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
  const access = await createKubeconfigAccess(file("exec", kubeconfig({ exec })));
  const token = async (afterDenial: boolean) => (await access.credentials(afterDenial)).headers.authorization;
  assert.deepEqual(
    [await token(false), await token(false), await token(true)],
    ["Bearer t-1", "Bearer t-1", "Bearer t-2"],
  );

  const failing = await createKubeconfigAccess(
    file("failing", kubeconfig({ exec: { ...exec, command: "/does/not/exist" } })),
  );
  await assert.rejects(
    failing.credentials(false),
    /the credentials of context "here": user "u": exec: spawn \/does\/not\/exist ENOENT/,
  );
});

/** A plugin that never answers, and the ids of its processes as they come; a child of each holds its pipes. */
function hangingPlugin(name: string) {
  const started = file(`${name}.pids`, "");
  const plugin = file(`${name}.sh`, `#!/bin/sh\necho $$ >> ${started}\nsleep 10 &\nwait\n`);
  chmodSync(plugin, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
  const pids = () => readFileSync(started, "utf8").trim().split("\n").filter(Boolean).map(Number);
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const until = async (count: number, alive: number) => {
    const dueMs = performance.now() + 5_000;
    while (pids().length < count || pids().filter(isAlive).length !== alive) {
      assert.ok(performance.now() < dueMs, `want ${alive} alive of ${count}; got ${pids()}`);
      await turn();
    }
    assert.equal(pids().length, count);
  };
  return { path: file(`${name}.json`, kubeconfig({ exec })), until };
}

test("an exec plugin that hangs runs once for all callers, and ends when the last of them has gone", async () => {
  const { path, until } = hangingPlugin("hanging");
  const clock = new ManualClock();
  const access = await createKubeconfigAccessIn(path, { clock });
  const readers = Array.from({ length: 20 }, () => new AbortController());
  const pending = readers.map(({ signal }) =>
    access.credentials(false, signal).then(
      () => assert.fail("got credentials"),
      ({ message }) => message,
    ),
  );
  await until(1, 1);
  for (const reader of readers.slice(1)) reader.abort();
  await turn();
  await until(1, 1);
  readers[0]?.abort();
  assert.match((await Promise.all(pending))[0] ?? "", /nobody waits/);
  await until(1, 0);
  for (const { signal } of readers) assert.equal(getEventListeners(signal, "abort").length, 0);
  const again = new AbortController();
  const failed = access.credentials(false, again.signal).catch(() => undefined);
  await until(2, 1);
  again.abort();
  await failed;
  await until(2, 0);
  assert.equal(clock.sleeping, 0);
});

test("an exec plugin that has not answered within a minute is ended, and the next caller runs it again", async () => {
  const { path, until } = hangingPlugin("slow");
  const clock = new ManualClock();
  const access = await createKubeconfigAccessIn(path, { clock });
  const pipes = () => process.getActiveResourcesInfo().filter((kind) => kind === "PipeWrap").length;
  const before = pipes();
  for (const count of [1, 2]) {
    const failed = access.credentials(false).then(
      () => assert.fail("got credentials"),
      ({ message }) => message,
    );
    await until(count, 1);
    clock.advance(59_999);
    await turn();
    await until(count, 1);
    clock.advance(1);
    assert.match(await failed, /no answer within 60 s/);
    await until(count, 0);
  }
  for (let n = 0; n < 20; n++) await turn();
  assert.deepEqual([clock.sleeping, pipes()], [0, before]);
});

test("credentials that do not come are no fault of the server's, and leave nothing when the reader goes", async () => {
  const { path, until } = hangingPlugin("blamed");
  const clock = new ManualClock();
  const reader = new SnapshotReader(
    sourceIn(defineKubernetesSource, {
      service: "s",
      access: await createKubeconfigAccessIn(path, { clock }),
      clock,
      background: true,
    }),
  );
  await until(1, 1);
  clock.advance(15_000);
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(
    error?.message,
    "kubernetes: list endpointslices default/s: the credentials did not come: nothing heard for 15 s",
  );
  await reader.close();
  await until(1, 0);
});

test("a server of plain HTTP, as kubectl proxy is one, is reached, and sent no credentials", async (t) => {
  const api = await FakeApiServer.start();
  t.after(() => api.close());
  api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"] }));
  for (const user of [
    {},
    { token: "secret" },
    { username: "a", password: "b" },
    { exec: { command: "/does/not/exist" } },
  ]) {
    const access = await createKubeconfigAccess(file("http", kubeconfig(user, { server: api.url })));
    const reader = new SnapshotReader(createKubernetesSource({ service: "s", access }));
    await reader.untilAddresses("10.0.0.1:50051");
    await reader.close();
  }
  assert.deepEqual([...new Set(api.requests.map(({ authorization }) => authorization))], [undefined]);
});

test("a client certificate convinces a server whose CA is a private one; without it there is none", async (t) => {
  const certificates = makeCertificates();
  if (!certificates) return t.skip("there is no openssl to make certificates with");
  t.after(certificates.remove);
  const { caFile, server: pair, client } = certificates;
  const base64 = (path: string) => readFileSync(path).toString("base64");
  const server = createServer(
    {
      key: readFileSync(pair.keyFile),
      cert: readFileSync(pair.certFile),
      ca: readFileSync(caFile),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(JSON.stringify({ user: subject.CN, url: request.url }));
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const user = { "client-certificate-data": base64(client.certFile), "client-key-data": base64(client.keyFile) };
  const cluster = { server: url, "certificate-authority-data": base64(caFile) };
  const get = async (text: string) => {
    const client = new ApiClient(await createKubeconfigAccess(file("certificate", text)), new ManualClock());
    const { signal } = new AbortController();
    return client.get({ path: "/api/v1/x", what: "get x", signal }, (answer) => answer).finally(() => client.close());
  };
  try {
    assert.deepEqual(await get(kubeconfig(user, cluster)), { user: "client", url: "/api/v1/x" });
    assert.deepEqual(await get(kubeconfig(user, { ...cluster, server: `${url}/prefix/` })), {
      user: "client",
      url: "/prefix/api/v1/x",
    });
    await assert.rejects(get(kubeconfig(user, { server: url })), /get x: 127\.0\.0\.1:\d+: .*(self-signed|unable to)/);
    await assert.rejects(get(kubeconfig({}, cluster)), { code: "unavailable" });
  } finally {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }
});

test("a token file is relative to the kubeconfig; it is read again after 60 s, and at once after a denial", async () => {
  const clock = new ManualClock();
  file("token-file", "one\n");
  const access = await createKubeconfigAccessIn(file("by-file", kubeconfig({ tokenFile: "token-file" })), { clock });
  const token = async (afterDenial: boolean) => (await access.credentials(afterDenial)).headers.authorization;
  assert.equal(await token(false), "Bearer one");
  file("token-file", "two");
  assert.equal(await token(false), "Bearer one");
  clock.advance(60_000);
  assert.equal(await token(false), "Bearer two");
  file("token-file", "three");
  assert.equal(await token(true), "Bearer three");
  rmSync(join(folder, "token-file"));
  clock.advance(60_000);
  assert.equal(await token(false), "Bearer three");
  await assert.rejects(token(true), /user "u": tokenFile: ENOENT/);
});

const credential = (status: object | undefined) => ({
  apiVersion: "client.authentication.k8s.io/v1",
  kind: "ExecCredential",
  status,
});
/** A plugin in the folder of the kubeconfig, whose answer is the content of a file. */
function answeringPlugin(name: string, fields: object = {}) {
  chmodSync(file(`${name}.sh`, `#!/bin/sh\ncat ${join(folder, `${name}.answer`)}\n`), 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: `./${name}.sh`, interactiveMode: "Never" };
  return {
    path: file(`${name}.json`, kubeconfig({ exec: { ...exec, ...fields } })),
    answer: (value: unknown) => file(`${name}.answer`, typeof value === "string" ? value : JSON.stringify(value)),
  };
}

for (const [name, answer, complaint] of [
  ["no status", credential(undefined), /the answer has no status/],
  ["an empty status", credential({}), /the status has no token and no certificate/],
  ["a certificate without a key", credential({ clientCertificateData: "x" }), /and not both/],
  [
    "a certificate that is not valid",
    credential({ clientCertificateData: "x", clientKeyData: "y" }),
    /not a valid cert/,
  ],
  ["an expiry that is not a time", credential({ token: "t-secret", expirationTimestamp: "soon" }), /not a valid time/],
  ["another version", { ...credential({ token: "t-secret" }), apiVersion: "v1" }, /must be an ExecCredential of/],
  ["text that is not JSON", "t-secret", /the answer is not valid JSON/],
] as const) {
  test(`an exec plugin that answers with ${name} is an error, which is not cached`, async () => {
    const plugin = answeringPlugin("answering");
    const access = await createKubeconfigAccess(plugin.path);
    plugin.answer(answer);
    await assert.rejects(access.credentials(false), ({ message }) => {
      assert.match(message, complaint);
      assert.doesNotMatch(message, /secret/);
      return true;
    });
    plugin.answer(credential({ token: "good" }));
    assert.equal((await access.credentials(false)).headers.authorization, "Bearer good");
  });
}

test("an exec plugin runs again when its answer has expired", async () => {
  const plugin = answeringPlugin("expiring");
  const clock = new ManualClock();
  const access = await createKubeconfigAccessIn(plugin.path, { clock });
  const token = async () => (await access.credentials(false)).headers.authorization;
  plugin.answer(credential({ token: "one", expirationTimestamp: new Date(Date.now() + 300_000).toISOString() }));
  assert.equal(await token(), "Bearer one");
  plugin.answer(credential({ token: "two" }));
  clock.advance(290_000);
  assert.equal(await token(), "Bearer one");
  clock.advance(10_001);
  assert.equal(await token(), "Bearer two");
});

test("the error of an exec plugin that is not installed has the install hint", async () => {
  const { path } = answeringPlugin("hint", { command: "does-not-exist", installHint: "run: brew install it" });
  const access = await createKubeconfigAccess(path);
  await assert.rejects(access.credentials(false), /exec: spawn does-not-exist ENOENT: run: brew install it/);
});

test("the error of an exec plugin that fails has its words, without the secrets among them", async () => {
  const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
  const script = `echo "log in again: $KEY $2 ${jwt} password=hunter2" >&2; exit 3`;
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "sh",
    args: ["-c", script, "sh", "--client-secret=swordfish", "swordfish"],
    env: [{ name: "KEY", value: "tiger-striped" }],
  };
  const access = await createKubeconfigAccess(file("failing-words", kubeconfig({ exec })));
  await assert.rejects(access.credentials(false), {
    message: /exec: sh: exit code 3: log in again: \*\*\* \*\*\* \*\*\* password=\*\*\*$/,
  });
});

test("a CA that is not PEM, or not a certificate, is an error", async () => {
  const access = (pem: string) => {
    const data = Buffer.from(pem).toString("base64");
    return createKubeconfigAccess(file("ca", kubeconfig({}, { "certificate-authority-data": data })));
  };
  await assert.rejects((await access("garbage")).credentials(false), /certificate-authority-data is not valid PEM/);
  const hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  await assert.rejects((await access(hollow)).credentials(false), /certificate-authority is not a valid certificate/);
});

test("broken entries that the context does not name are not read", async () => {
  const text = JSON.parse(kubeconfig({ token: "t" }));
  const broken = [
    null,
    5,
    "x",
    {},
    { name: 5 },
    { name: "other" },
    { name: "another", cluster: 5, user: [], context: "" },
  ];
  for (const list of ["clusters", "users", "contexts"]) text[list] = [...broken, ...text[list]];
  const access = await createKubeconfigAccess(file("unused", JSON.stringify(text)));
  assert.equal((await access.credentials(false)).headers.authorization, "Bearer t");
});

for (const [name, text] of [
  ["a URL that cannot be parsed", kubeconfig({}, { server: "https://user:secret@host:port" })],
  ["a URL without a scheme", kubeconfig({}, { server: "user:secret@host" })],
  ["another scheme", kubeconfig({}, { server: "htps://user:secret@host" })],
  ["a proxy that cannot be parsed", kubeconfig({}, { "proxy-url": "http://user:secret@host:port" })],
  ["a proxy of another scheme", kubeconfig({}, { "proxy-url": "ftp://user:secret@host" })],
  ["YAML that cannot be parsed", "users: [{ name: u, user: { token: secret\n}"],
  ["YAML with an alias of nothing", "token: *secret"],
  ["a text in place of an object", "secret"],
  ["a token of another type", kubeconfig({ token: ["secret"] })],
  ["a key that is not PEM", kubeconfig({ "client-key-data": Buffer.from("secret").toString("base64") })],
] as const) {
  test(`errors do not repeat secrets: ${name}`, async () => {
    const fail = async () => (await createKubeconfigAccess(file("leaky", text))).credentials(false);
    await assert.rejects(fail, ({ name, message }) => {
      assert.equal(name, "DiscoveryError");
      assert.doesNotMatch(message, /secret/);
      return true;
    });
  });
}

test("the user and password of the server's URL are sent as Basic, and are not in the URL of the access", async () => {
  const access = await createKubeconfigAccess(file("userinfo", kubeconfig({}, { server: "https://a:b%40@host/x" })));
  assert.equal(access.server.href, "https://host/x");
  assert.equal((await access.credentials(false)).headers.authorization, "Basic YTpiQA==");
});

test("after a denial, credentials for another server are not sent to this one", async () => {
  const path = file("moved", kubeconfig({ token: "one" }));
  const access = await createKubeconfigAccess(path);
  file("moved", kubeconfig({ token: "two" }, { server: "https://elsewhere" }));
  await assert.rejects(access.credentials(true), /cluster "c": the file has another server now/);
});

for (const [name, cluster, [HTTPS_PROXY, NO_PROXY], want] of [
  ["the cluster's own wins", { "proxy-url": "http://own:1" }, ["http://env:2"], "http://own:1/"],
  ["HTTPS_PROXY", {}, ["env:2"], "http://env:2/"],
  ["NO_PROXY", {}, ["http://env:2", "10.0.0.0/8,api.test"], undefined],
] as const) {
  test(`the proxy: ${name}`, async (t) => {
    setEnvironment(t, { HTTPS_PROXY, NO_PROXY, https_proxy: undefined, no_proxy: undefined });
    const text = kubeconfig({}, { server: "https://api.test:6443", ...cluster });
    assert.equal((await createKubeconfigAccess(file("proxied", text))).proxy?.href, want);
  });
}

for (const mode of ["refuse", "hang"] as const) {
  test(`a proxy that does not open the tunnel is named in the error: ${mode}`, async (t) => {
    const proxy = await FakeProxy.start();
    t.after(() => proxy.close());
    proxy.mode = mode;
    const clock = new ManualClock();
    const access = await createKubeconfigAccess(file("tunnel", kubeconfig({}, { "proxy-url": proxy.url.href })));
    const reader = new SnapshotReader(sourceIn(defineKubernetesSource, { service: "s", access, clock }));
    if (mode === "hang") {
      await until(() => proxy.requests.length > 0, "the proxy has the request");
      clock.advance(15_000);
    }
    const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    await reader.close();
    const { host } = proxy.url;
    const want = {
      refuse: `127.0.0.1:6443: proxy ${host}: CONNECT 127.0.0.1:6443: 407 Proxy Authentication Required`,
      hang: `127.0.0.1:6443 through proxy ${host}: nothing heard for 15 s`,
    }[mode];
    assert.equal(error?.message, `kubernetes: list endpointslices default/s: ${want}`);
    await until(() => proxy.connections === 0, "the connections are closed");
  });
}

const wrong: [string, string, RegExp][] = [
  ["a missing file", join(folder, "nowhere"), /cannot read the kubeconfig: ENOENT/],
  [
    "its content in place of its name",
    "apiVersion: v1\ntoken: hunter2\n",
    /cannot read the kubeconfig: must be the name of a file[\w, ]*$/,
  ],
  ["a file that is not valid YAML", file("broken", "{"), /cannot read the kubeconfig .*broken: line 1: invalid YAML/],
  [
    "a file without a context",
    file("empty", JSON.stringify({ apiVersion: "v1", kind: "Config", clusters: [], users: [], contexts: [] })),
    /the kubeconfig has no current context/,
  ],
  [
    "a context without its cluster",
    file("dangling", kubeconfig({}, {}, { cluster: "x" })),
    /context "here" names no cluster that exists/,
  ],
  [
    "a SOCKS proxy",
    file("proxy", kubeconfig({}, { "proxy-url": "socks5://p" })),
    /cluster "c": proxy-url must be an http:\/\/ or https:\/\/ URL, got socks/,
  ],
  ["no URL", file("url", kubeconfig({}, { server: "here/there" })), /cluster "c": server is not a URL such as https:/],
  [
    "a scheme other than https and http",
    file("scheme", kubeconfig({ token: "t" }, { server: "htps://127.0.0.1" })),
    /cluster "c": the server's scheme must be https or http, got "htps"/,
  ],
  ["a context that does not exist", file("gone", kubeconfig({}).replace('"here"', '"gone"')), /has no context "gone"/],
];
for (const [name, path, complaint] of wrong) {
  test(`${name} is an error that says so`, () => assert.rejects(createKubeconfigAccess(path), complaint));
}

for (const [name, files, want] of [
  ["files that are not there are skipped", ["nowhere", "listed-a", "nowhere-else"], "https://a/"],
  ["the first that names a current context decides", ["no-context", "listed-b", "listed-a"], "https://b/"],
  ["empty places mean nothing", ["", "listed-b", ""], "https://b/"],
  ["of files that repeat a name, the first has it", ["no-context", "listed-b", "repeats-b"], "https://b/"],
  ["none exists", ["nowhere", "nowhere-else"], /none of the files of KUBECONFIG exists: .*nowhere:.*nowhere-else$/],
  ["one is not valid YAML", ["listed-a", "broken"], /cannot read the kubeconfig/],
] as const) {
  test(`of the files that KUBECONFIG lists, as kubectl takes them: ${name}`, async (t) => {
    const of = (id: string) => ({
      apiVersion: "v1",
      kind: "Config",
      "current-context": id,
      clusters: [{ name: id, cluster: { server: `https://${id}/` } }],
      users: [{ name: id, user: {} }],
      contexts: [{ name: id, context: { cluster: id, user: id } }],
    });
    for (const id of ["a", "b"]) file(`listed-${id}`, JSON.stringify(of(id)));
    file("repeats-b", JSON.stringify(of("b")).replace("https://b/", "https://other/"));
    file("no-context", JSON.stringify({ ...of("c"), "current-context": undefined }));
    setEnvironment(t, { KUBECONFIG: files.map((one) => one && join(folder, one)).join(delimiter) });
    if (want instanceof RegExp) {
      const code = files.includes("broken" as never) ? "invalid" : "notFound";
      await assert.rejects(createKubeconfigAccess(), { code, message: want });
    } else assert.equal((await createKubeconfigAccess()).server.href, want);
  });
}

/** A value for any field: of a right type, or a wrong one. */
const anyValue = fc.oneof(
  fc.constantFrom(null, true, 0, "", "x", "c", "https://h", "http://h", "./plugin", "YQ==", [], {}, ["x"], [5], {
    x: ["y"],
  }),
  fc.string({ maxLength: 5 }),
);
const fieldsOf = (...names: string[]) => fc.dictionary(fc.constantFrom(...names), anyValue);
const userFields = fieldsOf(
  ...["token", "tokenFile", "username", "password", "client-certificate", "client-certificate-data", "client-key"],
  ...["client-key-data", "as", "as-uid", "as-groups", "as-user-extra", "exec", "auth-provider"],
);
const clusterFields = fieldsOf(
  ...["server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"],
  ...["tls-server-name", "proxy-url", "extensions"],
);

test("whatever a kubeconfig contains, it gives credentials or a DiscoveryError", async () => {
  const valid = fc
    .tuple(userFields, clusterFields, fieldsOf("namespace", "user", "cluster"))
    .map((parts) => kubeconfig(...parts));
  await assertBounded(
    fc.asyncProperty(fc.oneof(valid, mutated(valid)), async (text) => {
      try {
        const access = await createKubeconfigAccess(file("fuzzed", text));
        assert.match(access.server.protocol, /^https?:$/);
        assert.equal(typeof access.namespace, "string");
        assert.ok((await access.credentials(false)).headers);
      } catch (error) {
        assert.ok(error instanceof DiscoveryError, `${error instanceof Error ? error.stack : error}`);
        assert.match(error.message, /^kubernetes: /);
      }
    }),
    500,
  );
});
