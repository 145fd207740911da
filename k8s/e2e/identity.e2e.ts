/**
 * The components `mtls` and `jwt` on a real cluster: every call over TLS with a client certificate and a token of the pod's service account,
 * certificates and keys that are replaced under load, clients and servers that are refused with the reason, and no secret in what anything shows.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeAuthority, type TestAuthority } from "@grpc-lb/core/testing";
import { callerPod, callOnce, deployCallers, type Protocol, protocols } from "./caller.ts";
import { nextCalls } from "./client.ts";
import { copyDeployment, copyService } from "./copy-deployment.ts";
import { putFile, runScript } from "./exec.ts";
import { allowFaults, setFaults } from "./faults.ts";
import { buildImages } from "./images.ts";
import { type Issuer, issuerName, SigningKey, startIssuer } from "./issuer.ts";
import { type Jaeger, startJaeger, type Trace } from "./jaeger.ts";
import { makeFails } from "./make.ts";
import { programImage } from "./program-image.ts";
import { both, denied, type RefusedCase, refusalInLog, requireRefused, unauthenticated } from "./refused.ts";
import { rotateKey } from "./rotate-key.ts";
import { readyServers, readyServersOf, rolloutRestartServer } from "./server.ts";
import { deployShortCertificates, requireExpired } from "./short-certificates.ts";
import { Shown } from "./shown.ts";
import { beginStory } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("identity");
const collector = await programImage(kubectl, "jaeger");
const shown = new Shown(kubectl);
const certs = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-certs-"));
stopAtEnd({ stop: async () => rmSync(certs, { recursive: true }) });
const variables = { ...inNamespace, STRATEGY: "resolver", COMPONENTS: "mtls,jwt,monitoring", CERTS: certs };
let jaeger: Jaeger | undefined;

step("without certificates: an error that says how to create them, before anything changes", async (t) => {
  await buildImages();
  report(t, await makeFails("kube-deploy", variables, /^kube-deploy: COMPONENTS=mtls needs .*make certs/));
});

step("from TLS to certificates and tokens under load: no server refuses a client", async (t) => {
  await shown.make("certs", { OUT: certs, NAMESPACE: namespace });
  await shown.make("kube-deploy", { ...variables, COMPONENTS: "tls,monitoring" });
  await setCallInterval("100ms");
  await shown.make("kube-deploy", variables);
  await readyServersOf(kubectl, 3);
  // The logs of the clients that were replaced are gone, and the servers that were replaced demanded nothing.
  const logs = await kubectl.run(["logs", "-l", "app=server", "--tail=-1"]);
  assert.deepEqual(
    logs.split("\n").filter((line) => / refused"/.test(line)),
    [],
  );
  await requireNoErrors(t);
});

step("both clients reach every server over TLS with a certificate and a token of their own", async (t) => {
  if (collector.image !== null) jaeger = await startJaeger(kubectl, collector.image);
  await allowFaults(kubectl, { LOG_LEVEL: "debug", ...(jaeger && { OTLP_ENDPOINT: jaeger.endpoint }) });
  await kubectl.run(["rollout", "status", "deployment/server", "--timeout=240s"]);
  const servers = await readyServersOf(kubectl, 3);
  const traces = `OTLP_ENDPOINT=${jaeger?.endpoint ?? ""}`;
  await kubectl.run(["set", "env", "deployment/client-http", "deployment/client-grpc", traces]);
  // Each HTTP call is a handshake with two certificates.
  await setCallInterval("300ms");
  for (const client of ["client-http", "client-grpc"] as const) {
    const reached = new Set(await nextCalls(kubectl, client, 30));
    assert.deepEqual([...reached].sort(), [...servers].sort(), client);
  }
  await requireNoErrors(t);
  await deployCallers(kubectl);
  for (const protocol of protocols) assert.match((await callOnce(kubectl, protocol)).join(), /^#1: server-/, protocol);
});

/** Issues certificates of the deployed authority, as of `make certs`. */
let authority: TestAuthority;

/** When the certificates of the next step end. */
let expires: Date;

step("a server and a client whose certificates end in three minutes", async (t) => {
  const opened = makeAuthority({ certFile: join(certs, "ca.crt"), keyFile: join(certs, "ca.key") });
  assert.ok(opened);
  authority = opened;
  stopAtEnd({ stop: async () => authority.remove() });
  expires = new Date(Date.now() + 180_000);
  await deployShortCertificates(t, kubectl, authority, expires);
});

step("no certificate, no TLS, a wrong name, another authority: refused with the reason", async (t) => {
  const other = makeAuthority();
  assert.ok(other);
  stopAtEnd({ stop: async () => other.remove() });
  const foreign = other.issue("foreign");
  const old = other.issue("old", { expires: new Date("2020-01-02T00:00:00Z") });
  const files = {
    ca: other.caFile,
    cert: foreign.certFile,
    key: foreign.keyFile,
    old: old.certFile,
    "old-key": old.keyFile,
  };
  for (const [name, file] of Object.entries(files)) {
    const text = readFileSync(file, "utf8");
    if (name.endsWith("key")) shown.secrets.add(`${name} of another authority`, text);
    for (const protocol of protocols) await putFile(kubectl, callerPod(protocol), `/dev/shm/${name}`, text);
  }
  const cases: readonly RefusedCase[] = [
    ["no certificate", { env: ["TLS_CERT=", "TLS_KEY="] }, both(/: the server wants a client certificate/)],
    [
      "no TLS",
      { env: ["TLS=false", "TLS_CA=", "TLS_CERT=", "TLS_KEY=", "SERVER_NAME="] },
      { grpc: /: it may speak TLS/, http: /: 400 This port speaks TLS$/ },
    ],
    [
      "a wrong name",
      { flags: ["--server-name=other"] },
      both(/certificate is for .*\bserver\b.*, not for other; --server-name /),
    ],
    ["another authority", { flags: ["--tls-ca=/dev/shm/ca"] }, both(/: no trusted authority has signed/)],
    [
      "a certificate of another authority",
      { flags: ["--tls-cert=/dev/shm/cert", "--tls-key=/dev/shm/key"] },
      both(/ may refuse the client's certificate$/),
    ],
    [
      "a certificate that has expired",
      { flags: ["--tls-cert=/dev/shm/old", "--tls-key=/dev/shm/old-key"] },
      both(/^client-(grpc|http): certificate \/dev\/shm\/old: expired on 2020-01-02T00:00:00Z/),
    ],
  ];
  for (const each of cases) await requireRefused(t, kubectl, shown, each);
  report(t, await refusalInLog(kubectl, "the client's certificate is not from an authority of --tls-client-ca"));
});

step("no token, another audience, namespace, signature or key: refused with the reason", async (t) => {
  const tokenOf = async (...flags: string[]) => (await kubectl.run(["create", "token", "default", ...flags])).trim();
  const [, claims = ""] = (await tokenOf("--audience=grpc-lb")).split(".");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signed = (header: object, sign: (text: string) => string) => {
    const text = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${claims}`;
    return `${text}.${sign(text)}`;
  };
  const ofOtherKey = signed({ alg: "RS256", kid: "unknown" }, (text) =>
    sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url"),
  );
  const ofOtherNamespace = await tokenOf("--audience=grpc-lb", "--namespace=default");
  const cases: readonly RefusedCase[] = [
    ["no token", { token: "" }, unauthenticated("the call needs one header")],
    ["another audience", { token: await tokenOf("--audience=other") }, unauthenticated("the token is for another")],
    ["another namespace", { token: ofOtherNamespace }, denied("the token's subject may not call")],
    ["no signature", { token: signed({ alg: "none" }, () => "") }, unauthenticated("the token's algorithm is not")],
    ["another key", { token: ofOtherKey }, unauthenticated("the token is signed with a key that the issuer does not")],
  ];
  for (const each of cases) await requireRefused(t, kubectl, shown, each);
});

// The cluster's issuer signs no token that has expired, and its key cannot be rotated here: the next tokens are of an issuer of this story.
const targets: Readonly<Record<Protocol, string>> = {
  grpc: "kubernetes:///own-server:grpc",
  http: "http://own-server",
};
const keys = [new SigningKey("first"), new SigningKey("second")] as const;
const claims = { aud: "grpc-lb", sub: `system:serviceaccount:${namespace}:default` };
let issuer: Issuer;

step("an expired token, another issuer, subject or key: refused with the reason", async (t) => {
  const [key] = keys;
  const image = (await kubectl.get(["deployment", "client-grpc"])).spec.template.spec.containers[0].image;
  issuer = await startIssuer(kubectl, image, authority.issue("issuer", { hosts: ["issuer"] }));
  await issuer.publish([key]);
  const env = {
    AUTH_JWKS: issuer.url,
    AUTH_JWKS_CA: "/etc/grpc-lb/tls/ca.crt",
    AUTH_JWKS_TOKEN_FILE: "",
    AUTH_ISSUER: issuerName,
  };
  await copyDeployment(kubectl, "server", "own-server", { replicas: 2, env });
  await copyService(kubectl, "server", "own-server");
  await kubectl.run(["rollout", "status", "deployment/own-server", "--timeout=180s"]);
  const valid = key.sign(claims);
  shown.secrets.add("token: valid", valid);
  for (const protocol of protocols) {
    const lines = await callOnce(kubectl, protocol, { target: targets[protocol], token: valid });
    report(t, `a valid token: ${lines.join("; ")}`);
    assert.match(lines.join(), /^#1: own-server-/, protocol);
  }
  const minuteAgo = Math.floor(Date.now() / 1_000) - 60;
  const withClaims = (other: object) => ({ token: key.sign({ ...claims, ...other }) });
  const cases: readonly RefusedCase[] = [
    ["expired for a minute", withClaims({ exp: minuteAgo }), unauthenticated("the token has expired")],
    ["another issuer", withClaims({ iss: "https://other.test" }), unauthenticated("the token is of another issuer")],
    ["another subject", withClaims({ sub: "system:serviceaccount:x:default" }), denied("the token's subject may not")],
    [
      "another key with that name",
      { token: new SigningKey("first").sign(claims) },
      unauthenticated("the token's signature is wrong"),
    ],
    [
      "a key with another name",
      { token: new SigningKey("third").sign(claims) },
      unauthenticated("the token is signed with a key that the issuer does not have"),
    ],
  ];
  for (const each of cases) await requireRefused(t, kubectl, shown, each, targets);
});

step("a key is rotated: no call with a current token fails, and then none of the old key passes", async (t) => {
  await rotateKey(t, kubectl, shown, { issuer, keys, claims, targets, selector: "app=own-server", stopAtEnd });
});

step("certificates that have expired while the programs run: refused with the reason", async (t) => {
  await requireExpired(t, kubectl, shown, expires);
});

step("faults need their token", async (t) => {
  const [pod = ""] = await readyServers(kubectl);
  const wrong = randomBytes(32).toString("base64url");
  shown.secrets.add("wrong token for faults", wrong);
  for (const [faults, token, answer] of [
    ["delay=1ms", wrong, /^401 needs authorization/],
    ["delay=1ms", undefined, /^200 delay=1ms$/],
    ["", undefined, /^200 none$/],
  ] as const) {
    const line = await setFaults(kubectl, pod, faults, token);
    shown.add("answer of /faults", line);
    report(t, line);
    assert.match(line, answer);
  }
});

step("certificates are renewed under load: every pod uses the new one, and no call fails", async (t) => {
  await shown.keep();
  const fingerprint = async () => {
    const script = `
      const { readFileSync: read } = require("node:fs"); const folder = "/etc/grpc-lb/tls/";
      const socket = require("node:tls").connect({ host: "server", port: 30051, servername: "server", ALPNProtocols: ["h2"],
        ca: read(folder + "ca.crt"), cert: read(folder + "tls.crt"), key: read(folder + "tls.key") }, () => {
        console.log(socket.getPeerCertificate().fingerprint256); socket.destroy(); });`;
    return (await runScript(kubectl, "deployment/client-http", script)).trim();
  };
  const before = await fingerprint();
  const pods = await readyServers(kubectl);
  await shown.make("certs", { OUT: certs, NAMESPACE: namespace });
  await shown.make("kube-deploy", variables);
  // The kubelet copies a changed Secret into each pod within about a minute. The Service picks a pod of three each time.
  let inARow = 0;
  await until("the new certificate from every pod", 180_000, async () => {
    inARow = (await fingerprint()) === before ? 0 : inARow + 1;
    return inARow >= 15 ? { value: true } : { seen: `the new one ${inARow} times in a row` };
  });
  assert.deepEqual(await readyServers(kubectl), pods, "no pod was replaced");
  await shown.keep();
  await rolloutRestartServer(kubectl);
  await nextCalls(kubectl, "client-grpc", 30);
  report(t, "the certificates were replaced in the same pods, and then the pods were");
  await requireNoErrors(t);
});

step("no key and no token is in a log, a metric, an error, /debug, an event or an object", async (t) => {
  await shown.keep();
  const { items } = await kubectl.get(["pods", "-l", "app in (server,client-http,client-grpc,own-server)"]);
  for (const { metadata } of items) {
    assert.ok(shown.has(`log of ${metadata.name}`, /./), `the log of ${metadata.name}`);
    assert.ok(shown.has(`admin port of ${metadata.name}`, "process_uptime"), `the metrics of ${metadata.name}`);
  }
  assert.ok(shown.has("admin port of client-grpc", "lastSyncAgeMs"), "/debug/endpoints of client-grpc");
  assert.ok(shown.has("log of server", "certificate reloaded"), "the logs of the servers before they were replaced");
  assert.ok(shown.has("previous log of short-server", /./), "the log of a container before its restart");
  for (const wanted of [
    ...["tls.key of the Secret server-tls", "tls.key of the Secret client-tls", "token of the Secret faults"],
    ...["token of server-", "token of client-http-", "token of client-grpc-", "token: expired", "token, old key"],
  ])
    assert.ok(
      shown.secrets.names.some((name) => name.startsWith(wanted)),
      wanted,
    );
  assert.deepEqual(shown.leaks(), []);
  report(t, `${shown.describe()}, and none of the secrets in a text`);
});

test("no key and no token is in a span", { skip: collector.image === null && collector.why }, async (t) => {
  if (!jaeger) return t.skip("an earlier step failed");
  const { secrets } = shown;
  for (const service of ["server", "client-http", "client-grpc"]) {
    const traces: readonly Trace[] = await jaeger.find(service, {}, 5_000);
    assert.ok(traces.length > 0, `${service} has spans`);
    const text: string = JSON.stringify(traces);
    assert.deepEqual(secrets.find(text), [], service);
    report(t, `${service}: ${secrets.names.length} secrets, ${traces.length} traces with ${text.length} characters`);
  }
});
