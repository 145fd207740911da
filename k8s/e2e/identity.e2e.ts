/**
 * The components `mtls` and `jwt` on a real cluster: every call over TLS with a client certificate and a token of the pod's service account,
 * certificates that are renewed under load, and clients that are refused with the reason.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nextCalls } from "./client.ts";
import { makeFails, makeOk } from "./make.ts";
import { readyServers, readyServersOf, rolloutRestartServer } from "./server.ts";
import { beginStory, buildImages } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("identity");
const decodeToken = (token: string) => ({
  payload: JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()),
});
const certs = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-certs-"));
stopAtEnd({ stop: async () => rmSync(certs, { recursive: true }) });
const variables = {
  ...inNamespace,
  STRATEGY: "resolver",
  COMPONENTS: "mtls,jwt,monitoring",
  CERTS: certs,
};

step("without certificates: an error that says how to create them, before anything changes", async (t) => {
  await buildImages();
  report(t, await makeFails("kube-deploy", variables, /^kube-deploy: COMPONENTS=mtls needs .*make certs/));
});

/** The first error of a client in a pod of client-grpc that is started with these variables and flags. */
async function firstError(env: readonly string[], flags: readonly string[], token = ""): Promise<string> {
  const main = ["node", "/app/dist/app/main.cjs", "--target=server:30051", "--admin-port=0", "--timeout=5s", ...flags];
  // The client goes on after a failed call: it ends when nobody reads its second line. The token goes through a file of this pod alone.
  const program = ["timeout", "30", "env", ...env, ...main].join(" ");
  const command = ["sh", "-c", `cat > /dev/shm/token; ${program} 2>&1 | grep -m1 -E '^(Error:|#)'`];
  const { stdout, problem } = await kubectl.try(["exec", "-i", "deployment/client-grpc", "--", ...command], {
    input: token,
  });
  assert.doesNotMatch(stdout, /^#/, "a call passed");
  return stdout.trim() || problem;
}

step("both clients reach every server over TLS with a certificate and a token of their own", async (t) => {
  await makeOk("certs", { OUT: certs, NAMESPACE: namespace });
  await makeOk("kube-deploy", variables);
  // Each HTTP call is a handshake with two certificates.
  await setCallInterval("300ms");
  const servers = await readyServersOf(kubectl, 3);
  for (const client of ["client-http", "client-grpc"] as const) {
    const reached = new Set(await nextCalls(kubectl, client, 30));
    assert.deepEqual([...reached].sort(), [...servers].sort(), client);
  }
  await requireNoErrors(t);
});

step("no certificate, no TLS, a wrong name, another authority: refused with the reason", async (t) => {
  const other = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
  const cases: readonly (readonly [string, readonly string[], readonly string[], RegExp])[] = [
    ["no certificate", ["TLS_CERT=", "TLS_KEY="], [], /: the server wants a client certificate/],
    ["no TLS", ["TLS=false", "TLS_CA=", "TLS_CERT=", "TLS_KEY=", "SERVER_NAME="], [], /it may speak TLS/],
    ["a wrong name", [], ["--server-name=other"], /certificate is not for other, but for .*\bserver\b/],
    ["another authority", [], [`--tls-ca=${other}`], /: no trusted authority has signed/],
  ];
  for (const [what, env, flags, reason] of cases) {
    const line = await firstError(env, flags);
    report(t, `${what}: ${line}`);
    assert.match(line, reason, what);
  }
});

step("no token, another audience, namespace, signature or key: refused with the reason", async (t) => {
  const claims = decodeToken(await kubectl.run(["create", "token", "default", "--audience=grpc-lb"])).payload;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signed = (header: object, sign: (text: string) => string) => {
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${text}.${sign(text)}`;
  };
  const tokenOf = async (...flags: string[]) => (await kubectl.run(["create", "token", "default", ...flags])).trim();
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["no token", "", /UNAUTHENTICATED: the call needs one header/],
    ["another audience", await tokenOf("--audience=other"), /UNAUTHENTICATED: .* for another audience/],
    [
      "another namespace",
      await tokenOf("--audience=grpc-lb", "--namespace=default"),
      /PERMISSION_DENIED: the token's subject/,
    ],
    ["no signature", signed({ alg: "none" }, () => ""), /UNAUTHENTICATED: the token's algorithm/],
    [
      "another key",
      signed({ alg: "RS256", kid: "unknown" }, (text) =>
        sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url"),
      ),
      /UNAUTHENTICATED: .* a key that the issuer does not have/,
    ],
  ];
  for (const [what, token, reason] of cases) {
    const line = await firstError(
      token === "" ? ["TOKEN_FILE="] : [],
      token === "" ? [] : ["--token-file=/dev/shm/token"],
      token,
    );
    report(t, `${what}: ${line}`);
    assert.match(line, reason, what);
    if (token !== "") assert.ok(!line.includes(token.slice(-20)), "the token is not in the error");
  }
});

step("certificates are renewed under load: every pod uses the new one, and no call fails", async (t) => {
  const fingerprint = async () => {
    const script = `
      const { readFileSync: read } = require("node:fs"); const folder = "/etc/grpc-lb/tls/";
      const socket = require("node:tls").connect({ host: "server", port: 30051, servername: "server", ALPNProtocols: ["h2"],
        ca: read(folder + "ca.crt"), cert: read(folder + "tls.crt"), key: read(folder + "tls.key") }, () => {
        console.log(socket.getPeerCertificate().fingerprint256); socket.destroy(); });`;
    return (await kubectl.run(["exec", "deployment/client-http", "--", "node", "-e", script])).trim();
  };
  const before = await fingerprint();
  const pods = await readyServers(kubectl);
  await makeOk("certs", { OUT: certs, NAMESPACE: namespace });
  await makeOk("kube-deploy", variables);
  // The kubelet copies a changed Secret into each pod within about a minute. The Service picks a pod of three each time.
  let inARow = 0;
  await until("the new certificate from every pod", 180_000, async () => {
    inARow = (await fingerprint()) === before ? 0 : inARow + 1;
    return inARow >= 15 ? { value: true } : { seen: `the new one ${inARow} times in a row` };
  });
  assert.deepEqual(await readyServers(kubectl), pods, "no pod was replaced");
  await rolloutRestartServer(kubectl);
  await nextCalls(kubectl, "client-grpc", 30);
  report(t, "the certificates were replaced in the same pods, and then the pods were");
  await requireNoErrors(t);
});

step("no key and no token appears in a log, in metrics or in /debug", async (t) => {
  const key = (await kubectl.get(["secret", "server-tls"])).data["tls.key"];
  const lines = Buffer.from(key, "base64")
    .toString()
    .split("\n")
    .filter((line) => line.length > 40);
  assert.ok(lines.length > 0);
  const tokenFile = "/var/run/secrets/grpc-lb/token";
  for (const app of ["server", "client-http", "client-grpc"]) {
    const token = (await kubectl.run(["exec", `deployment/${app}`, "--", "cat", tokenFile])).trim();
    lines.push(token.split(".")[2] ?? token);
  }
  const read = `Promise.all(["metrics", "debug/endpoints"].map((path) => fetch("http://127.0.0.1:9464/" + path)
    .then((answer) => answer.text()))).then((texts) => console.log(texts.join("\\n")));`;
  for (const app of ["server", "client-http", "client-grpc"]) {
    const log = await kubectl.run(["logs", `deployment/${app}`, "--tail=-1"]);
    const admin = await kubectl.run(["exec", `deployment/${app}`, "--", "node", "-e", read]);
    assert.ok(admin.includes("process_uptime"), `${app} has metrics`);
    for (const line of lines) assert.ok(!`${log}${admin}`.includes(line), `${app} shows the key`);
    report(t, `${app}: ${log.length} characters of log and ${admin.length} of metrics and /debug`);
  }
});
