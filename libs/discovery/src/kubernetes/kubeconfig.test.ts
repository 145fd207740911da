import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { assertNothingLeft, ManualClock, makeCertificates } from "@grpc-lb/core/testing";
import { FakeApiServer, SnapshotReader, slice } from "../../testing/index.ts";
import { ApiClient } from "./api-client.ts";
import { createKubeconfigAccess } from "./kubeconfig.ts";
import { createKubernetesSource } from "./source.ts";

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

test("a token; server and namespace of the current context; a token replaced in the file is seen after a denial", async () => {
  const path = file("token", kubeconfig({ token: "one" }, {}, { namespace: "prod" }));
  const access = await createKubeconfigAccess(path);
  assert.deepEqual([access.server.href, access.namespace], ["https://127.0.0.1:6443/prefix", "prod"]);
  assert.deepEqual((await access.credentials(false)).headers, { Authorization: "Bearer one" });
  file("token", kubeconfig({ token: "two" }));
  assert.deepEqual((await access.credentials(false)).headers, { Authorization: "Bearer one" });
  assert.deepEqual((await access.credentials(true)).headers, { Authorization: "Bearer two" });
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
  const token = async (afterDenial: boolean) => (await access.credentials(afterDenial)).headers.Authorization;
  assert.deepEqual(
    [await token(false), await token(false), await token(true)],
    ["Bearer t-1", "Bearer t-1", "Bearer t-2"],
  );

  const failing = await createKubeconfigAccess(
    file("failing", kubeconfig({ exec: { ...exec, command: "/does/not/exist" } })),
  );
  await assert.rejects(
    failing.credentials(false),
    /the credentials of context "here": spawn \/does\/not\/exist ENOENT/,
  );
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

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

test("an exec plugin that hangs runs once for all who ask, and is ended when the last of them has gone", async () => {
  const { path, until } = hangingPlugin("hanging");
  const clock = new ManualClock();
  const access = await createKubeconfigAccess(path, { clock });
  const readers = Array.from({ length: 20 }, () => new AbortController());
  const asked = readers.map(({ signal }) =>
    access.credentials(false, signal).then(
      () => assert.fail("they came"),
      ({ message }) => message,
    ),
  );
  await until(1, 1);
  for (const reader of readers.slice(1)) reader.abort();
  await turn();
  await until(1, 1);
  readers[0]?.abort();
  assert.match((await Promise.all(asked))[0] ?? "", /nobody waits/);
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

test("an exec plugin that has not answered within a minute is ended, and the next who asks runs it anew", async () => {
  const { path, until } = hangingPlugin("slow");
  const clock = new ManualClock();
  const access = await createKubeconfigAccess(path, { clock });
  const pipes = () => process.getActiveResourcesInfo().filter((kind) => kind === "PipeWrap").length;
  const before = pipes();
  for (const count of [1, 2]) {
    const failed = access.credentials(false).then(
      () => assert.fail("they came"),
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
    createKubernetesSource({
      service: "s",
      access: await createKubeconfigAccess(path, { clock }),
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

const wrong: [string, string, RegExp][] = [
  ["a file that is not there", join(folder, "nowhere"), /cannot read the kubeconfig: ENOENT/],
  ["a file that is no YAML", file("broken", "{"), /cannot read the kubeconfig/],
  [
    "a file without a context",
    file("empty", JSON.stringify({ apiVersion: "v1", kind: "Config", clusters: [], users: [], contexts: [] })),
    /the kubeconfig has no current context/,
  ],
  [
    "a context without its cluster",
    file("dangling", kubeconfig({}, {}, { cluster: "x" })),
    /context "here" names no cluster/,
  ],
  ["a proxy", file("proxy", kubeconfig({}, { "proxy-url": "http://p" })), /has a proxy-url, which is not supported/],
  ["no URL", file("url", kubeconfig({}, { server: "here" })), /context "here" has no URL for a server: "here"/],
];
for (const [name, path, complaint] of wrong) {
  test(`${name} is an error that says so`, () => assert.rejects(createKubeconfigAccess(path), complaint));
}

for (const [name, files, want] of [
  ["files that are not there are skipped", ["nowhere", "listed-a", "nowhere-else"], "https://a/"],
  ["the first that names a current context decides", ["no-context", "listed-b", "listed-a"], "https://b/"],
  ["empty places mean nothing", ["", "listed-b", ""], "https://b/"],
  ["none is there", ["nowhere", "nowhere-else"], /none of the files of KUBECONFIG exists: .*nowhere:.*nowhere-else$/],
  ["one that is there and no YAML", ["listed-a", "broken"], /cannot read the kubeconfig/],
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
    file("no-context", JSON.stringify({ ...of("c"), "current-context": undefined }));
    const { KUBECONFIG } = process.env;
    t.after(() => {
      if (KUBECONFIG === undefined) delete process.env.KUBECONFIG;
      else process.env.KUBECONFIG = KUBECONFIG;
    });
    process.env.KUBECONFIG = files.map((one) => one && join(folder, one)).join(delimiter);
    if (want instanceof RegExp) await assert.rejects(createKubeconfigAccess(), { code: "notFound", message: want });
    else assert.equal((await createKubeconfigAccess()).server.href, want);
  });
}
