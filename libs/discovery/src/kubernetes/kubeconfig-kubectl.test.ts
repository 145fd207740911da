import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { assertNothingLeft, FakeProxy, ManualClock, makeCertificates } from "@grpc-lb/core/testing";
import { ApiClient } from "./api-client.ts";
import { createKubeconfigAccess } from "./kubeconfig.ts";

// Checks what a server receives from this library for a kubeconfig and, if kubectl is installed, that kubectl sends the same.

const run = promisify(execFile);
const kubectlMissing = await run("kubectl", ["version", "--client"]).then(
  () => undefined,
  () => "kubectl is not installed",
);
const certificates = makeCertificates("api.test");
const skip = certificates ? false : "openssl is not installed";
const folder = mkdtempSync(join(tmpdir(), "kubeconfig-kubectl-"));
const path = "/api/v1/namespaces";

/** The credentials of one request: the headers that identify the client, and its certificate. */
type Received = Record<string, string | readonly string[]>;
let received: Received | undefined;
let url = "";
const base64 = (file: string) => readFileSync(file).toString("base64");
const pair = certificates?.server ?? { certFile: "", keyFile: "" };
const server = certificates
  ? createServer(
      {
        key: readFileSync(pair.keyFile),
        cert: readFileSync(pair.certFile),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => {
        if (request.url === path) {
          received = {};
          for (const [name, values = []] of Object.entries(request.headersDistinct)) {
            if (name === "authorization" || name.startsWith("impersonate-")) {
              received[name] = values.map((value) => Buffer.from(value, "latin1").toString());
            }
          }
          const { CN } = (request.socket as TLSSocket).getPeerCertificate()?.subject ?? {};
          if (CN) received.certificate = CN;
        }
        response.setHeader("content-type", "application/json").end("{}");
      },
    )
  : undefined;

before(async () => {
  if (!server) return;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  rmSync(folder, { recursive: true });
  certificates?.remove();
  if (!server) return;
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  await assertNothingLeft();
});

async function byLibrary(): Promise<Received | undefined> {
  received = undefined;
  const client = new ApiClient(await createKubeconfigAccess(), new ManualClock());
  const { signal } = new AbortController();
  try {
    await client.get({ path, what: "list", signal }, (answer) => answer);
  } finally {
    client.close();
  }
  return received;
}

async function byKubectl(): Promise<Received | undefined> {
  received = undefined;
  const kubectl = run("kubectl", ["get", "--raw", path], { env: { ...process.env, HOME: folder }, timeout: 20_000 });
  kubectl.child.stdin?.end();
  await kubectl;
  return received;
}

interface Case {
  /** Of the cluster, in addition to its server and CA. */
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  /** Further files, by name; those that begin with #! can be executed. */
  readonly files?: Readonly<Record<string, string>>;
  /** In place of the one kubeconfig. */
  readonly kubeconfigs?: () => readonly string[];
  readonly want: Received;
  /** kubectl prompts for a name and a password, so there is nothing to compare. */
  readonly isPrompted?: true;
}

const contextOf = (name: string, cluster: object, user: object, context: object = {}) => ({
  apiVersion: "v1",
  kind: "Config",
  "current-context": name,
  clusters: [
    { name, cluster: { server: url, "certificate-authority-data": base64(certificates?.caFile ?? ""), ...cluster } },
  ],
  users: [{ name, user }],
  contexts: [{ name, context: { cluster: name, user: name, ...context } }],
});

/** The answer of a plugin that also writes what it was given to a file. */
const pluginScript = (status: object) =>
  `#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > ${join(folder, "exec-info")}\nprintf %s '${JSON.stringify({
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status,
  })}'\n`;
const exec = { apiVersion: "client.authentication.k8s.io/v1", interactiveMode: "IfAvailable" };
const bearer = (token: string) => ({ authorization: [`Bearer ${token}`] });
const pemOf = (file: string | undefined) => (file === undefined ? "" : readFileSync(file, "utf8"));

const cases: Readonly<Record<string, Case>> = {
  "a token": { user: { token: "t" }, want: bearer("t") },
  "a user name and password": { user: { username: "a", password: "b" }, want: { authorization: ["Basic YTpi"] } },
  "a token file, relative, with a newline": {
    user: { tokenFile: "tokens/one" },
    files: { "tokens/one": "from-file\n" },
    want: bearer("from-file"),
  },
  "a token file without a newline": {
    user: { tokenFile: "two" },
    files: { two: "from-file" },
    want: bearer("from-file"),
  },
  "a token and a token file": {
    user: { token: "t", tokenFile: "two" },
    files: { two: "from-file" },
    want: bearer("from-file"),
  },
  "a token, and a token file that is not there": { user: { token: "t", tokenFile: "nowhere" }, want: bearer("t") },
  "a context without a user": { context: { user: "" }, user: { token: "t" }, want: {}, isPrompted: true },
  "a context with a user that does not exist": {
    context: { user: "unknown" },
    user: { token: "t" },
    want: {},
    isPrompted: true,
  },
  "an empty user": { want: {}, isPrompted: true },
  "a client certificate in files": {
    user: { "client-certificate": "client.pem", "client-key": "client.key" },
    files: { "client.pem": pemOf(certificates?.client.certFile), "client.key": pemOf(certificates?.client.keyFile) },
    want: { certificate: "client" },
  },
  "a key without a certificate, which is not used": {
    user: { token: "t", "client-key": "client.key" },
    files: { "client.key": pemOf(certificates?.client.keyFile) },
    want: bearer("t"),
  },
  "a token in UTF-8": { user: { token: "tü€" }, want: bearer("tü€") },
  "a CA in a file": {
    cluster: { "certificate-authority-data": undefined, "certificate-authority": "ca.pem" },
    user: { token: "t" },
    files: { "ca.pem": pemOf(certificates?.caFile) },
    want: bearer("t"),
  },
  "insecure-skip-tls-verify": {
    cluster: { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true },
    user: { token: "t" },
    want: bearer("t"),
  },
  impersonation: {
    user: {
      token: "t",
      as: "jörg",
      "as-uid": "7",
      "as-groups": ["one", "two, three"],
      "as-user-extra": { "example.com/Scopes": ["a", "b"], "100%": ["c"], empty: [] },
    },
    want: {
      ...bearer("t"),
      "impersonate-user": ["jörg"],
      "impersonate-uid": ["7"],
      "impersonate-group": ["one", "two, three"],
      "impersonate-extra-example.com%2fscopes": ["a", "b"],
      "impersonate-extra-100%25": ["c"],
    },
  },
  "an exec plugin in the kubeconfig's folder": {
    user: { exec: { ...exec, command: "./bin/plugin" } },
    files: { "bin/plugin": pluginScript({ token: "t" }) },
    want: bearer("t"),
  },
  "an exec plugin with arguments and an environment": {
    user: { exec: { ...exec, command: "plugin/../plugin/run", args: ["x"], env: [{ name: "VALUE", value: "y" }] } },
    files: { "plugin/run": pluginScript({ token: "t" }).replace('"t"', `"'$1$VALUE'"`) },
    want: bearer("xy"),
  },
  "an exec plugin of v1beta1": {
    user: { exec: { apiVersion: "client.authentication.k8s.io/v1beta1", command: "./old" } },
    files: { old: pluginScript({ token: "t" }).replace("k8s.io/v1", "k8s.io/v1beta1") },
    want: bearer("t"),
  },
  "an exec plugin that gives a certificate": {
    user: { exec: { ...exec, command: "./certifying" } },
    files: {
      certifying: pluginScript({
        clientCertificateData: pemOf(certificates?.client.certFile),
        clientKeyData: pemOf(certificates?.client.keyFile),
      }),
    },
    want: { certificate: "client" },
  },
  "an exec plugin and a token": {
    user: { token: "t", exec: { ...exec, command: "./does-not-exist" } },
    want: bearer("t"),
  },
  "an OIDC token": {
    user: {
      "auth-provider": {
        name: "oidc",
        config: {
          "client-id": "c",
          "idp-issuer-url": "https://issuer.test",
          "id-token": `x.${Buffer.from('{"exp":99999999999}').toString("base64url")}.y`,
        },
      },
    },
    want: bearer(`x.${Buffer.from('{"exp":99999999999}').toString("base64url")}.y`),
  },
  "unused entries that are broken": {
    kubeconfigs: () => {
      const text = contextOf("a", {}, { token: "t" });
      return [JSON.stringify({ ...text, users: [...text.users, { name: "b", user: { exec: { command: "" } } }] })];
    },
    want: bearer("t"),
  },
  "several files: the first that sets a name, or the current context, wins": {
    kubeconfigs: () => [
      JSON.stringify({ ...contextOf("a", {}, { token: "first" }), "current-context": "" }),
      JSON.stringify(contextOf("b", {}, { token: "second" }, { user: "a" })),
      JSON.stringify({ ...contextOf("a", { server: "https://127.0.0.1:1" }, { token: "third" }) }),
    ],
    want: bearer("first"),
  },
  "YAML 1.1, with an anchor, a merge key, a key twice and a block": {
    kubeconfigs: () => [
      `kind: Config
apiVersion: v1
current-context: a
clusters:
- name: a
  cluster: { server: "${url}", insecure-skip-tls-verify: yes }
users:
- name: a
  user: &user { token: t }
- name: b
  user: { <<: *user, as: b }
contexts:
- { name: a, context: { cluster: a, user: a, user: b } }
`,
    ],
    want: { ...bearer("t"), "impersonate-user": ["b"] },
  },
};

/** Writes the files of a case, and has KUBECONFIG list them. */
function write({ cluster = {}, user = {}, context = {}, files = {}, kubeconfigs }: Case): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
    if (text.startsWith("#!")) chmodSync(join(folder, name), 0o755);
  }
  const given = JSON.stringify(contextOf("here", cluster, user, context));
  const texts = kubeconfigs?.() ?? [given];
  const paths = texts.map((text, at) => {
    writeFileSync(join(folder, `kubeconfig-${at}`), text);
    return join(folder, `kubeconfig-${at}`);
  });
  process.env.KUBECONFIG = ["", join(folder, "missing"), ...paths].join(delimiter);
}

for (const [name, given] of Object.entries(cases)) {
  test(`${name}: the server receives what kubectl sends`, { skip }, async (t) => {
    write(given);
    assert.deepEqual(await byLibrary(), given.want, "by this library");
    if (given.isPrompted) return;
    if (kubectlMissing) return t.diagnostic(`not compared: ${kubectlMissing}`);
    assert.deepEqual(await byKubectl(), given.want, "by kubectl");
  });
}

test("an exec plugin gets the same KUBERNETES_EXEC_INFO as from kubectl", { skip }, async (t) => {
  if (kubectlMissing) return t.skip(kubectlMissing);
  const extensions = [
    { name: "client.authentication.k8s.io/exec", extension: { audience: "a", list: [1] } },
    { name: "other", extension: { no: 1 } },
  ];
  const read = () => JSON.parse(readFileSync(join(folder, "exec-info"), "utf8"));
  const plugin = { files: { "info-plugin": pluginScript({ token: "t" }) }, want: bearer("t") };
  const user = (provideClusterInfo: boolean) => ({ exec: { ...exec, command: "./info-plugin", provideClusterInfo } });
  for (const given of [
    { ...plugin, user: user(false), cluster: { extensions } },
    { ...plugin, user: user(true), cluster: { extensions, "tls-server-name": "api.test" } },
    {
      ...plugin,
      user: user(true),
      cluster: { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true },
    },
  ]) {
    write(given);
    await byLibrary();
    const got = read();
    await byKubectl();
    assert.deepEqual(got, read());
  }
});

test("proxy-url: the tunnel that kubectl opens", { skip }, async (t) => {
  const proxy = await FakeProxy.start();
  t.after(() => proxy.close());
  write({ cluster: { "proxy-url": proxy.url.href }, user: { token: "t" }, want: {} });
  assert.deepEqual(await byLibrary(), bearer("t"));
  const ours = proxy.requests.splice(0);
  assert.deepEqual(ours, [`CONNECT ${new URL(url).host} Basic dXNAZXI6cGEgc3M=`]);
  if (kubectlMissing) return t.diagnostic(`not compared: ${kubectlMissing}`);
  assert.deepEqual(await byKubectl(), bearer("t"));
  assert.deepEqual(proxy.requests, ours);
});
