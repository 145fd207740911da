import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";
import { closedPort, makeAuthority } from "@grpc-lb/core/testing";
import { openServerAuth, serverAuthFlags } from "@grpc-lb/operations/auth";
import { limitReports } from "@grpc-lb/operations/logs";
import { startProgram } from "@grpc-lb/program/testing";
import { Pod, PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { listenGrpc } from "./grpc.ts";
import { listenHttp } from "./http.ts";

const [issuer, audience] = ["https://issuer.test", "server"];
const pod = Pod.fromPartial({ name: "a" });
const address = { host: "127.0.0.1", port: 0 };
const authority = makeAuthority();
const none = {
  authJwks: "",
  authIssuer: "",
  authAudience: "",
  authSubjects: [],
  authJwksCa: "",
  authJwksTokenFile: "",
};
/** The claims of the subjects that the server accepts. */
const client = { sub: "system:serviceaccount:default:client" };

async function createKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  const sign = (claims: JWTPayload = {}) =>
    new SignJWT({ iss: issuer, aud: audience, ...client, exp: Math.floor(Date.now() / 1_000) + 60, ...claims })
      .setProtectedHeader({ alg: "ES256", kid })
      .sign(privateKey);
  return { jwk, sign };
}

/** A server as a Kubernetes API server: over TLS, and the keys only for a token. */
async function serveKeys(t: TestContext, keys: object[]) {
  assert.ok(authority);
  const folder = mkdtempSync(join(tmpdir(), "server-auth-"));
  const { certFile, keyFile } = authority.issue("jwks", { hosts: ["localhost"] });
  const server: Server = createServer(
    { cert: readFileSync(certFile), key: readFileSync(keyFile) },
    (request, response) => {
      const { authorization, accept = "" } = request.headers;
      response.statusCode = authorization !== "Bearer for-the-keys" ? 403 : accept.includes("jwk-set+json") ? 200 : 406;
      response.end(JSON.stringify({ keys }));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
    authority.remove();
  });
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "for-the-keys\n");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/openid/v1/jwks`;
  return { url, tokenFile, caFile: authority.caFile };
}

test("calls need a valid token over gRPC and HTTP, and probes need none", {
  skip: !authority && "openssl is not installed",
}, async (t) => {
  const key = await createKey("one");
  const other = await createKey("two");
  const { url, tokenFile, caFile } = await serveKeys(t, [key.jwk]);
  const authSubjects = ["admin", "system:serviceaccount:default:*"];
  const flags = {
    ...none,
    authJwks: url,
    authIssuer: issuer,
    authAudience: audience,
    authSubjects,
    authJwksCa: caFile,
  };
  const problems: string[] = [];
  const refused: string[] = [];
  const auth = await openServerAuth(
    { ...flags, authJwksTokenFile: tokenFile },
    (message) => problems.push(message),
    limitReports(systemClock, (reason, peer) => refused.push(`${peer.replace(/:\d+$/, "")}: ${reason}`)),
  );
  const denied = await openServerAuth(flags, (message) => problems.push(message));
  assert.ok(auth && denied);
  const { workload } = createWorkload();
  const http = await listenHttp(pod, createReadiness(), workload, { ...address, auth });
  const deniedHttp = await listenHttp(pod, createReadiness(), workload, { ...address, auth: denied });
  const grpc = await listenGrpc(pod, createReadiness(), workload, {
    ...address,
    maxConnectionAgeMs: 0,
    loadReports: undefined,
    interceptors: [auth.interceptor],
  });
  const pods = new PodServiceClient(`127.0.0.1:${grpc.port}`, credentials.createInsecure());
  t.after(async () => {
    pods.close();
    await Promise.all([http, deniedHttp, grpc].map((server) => server.close()));
  });
  const overGrpc = (token?: string) =>
    new Promise<unknown[]>((resolve) => {
      const metadata = new Metadata();
      if (token) metadata.set("authorization", `Bearer ${token}`);
      pods.getPod({}, metadata, (error, response) => {
        resolve(error ? [error.code, error.details] : [0, response.pod?.name]);
      });
    });
  const overHttp = async (token?: string, path = "/pod", { port } = http) => {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    const text = await answer.text();
    assert.ok(!token || !text.includes(token));
    return [answer.status, text, answer.headers.get("www-authenticate")];
  };

  const good = await key.sign();
  assert.deepEqual(await overGrpc(good), [0, "a"]);
  assert.deepEqual(await overHttp(good), [200, "a", null]);
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${good.split(".")[1]}.`;
  const refusals = [
    [undefined, "the call needs one header authorization: Bearer TOKEN"],
    [await key.sign({ exp: 1 }), "the token has expired"],
    [await key.sign({ aud: "other" }), "the token is for another audience"],
    [await key.sign({ iss: "other" }), "the token is of another issuer"],
    [await other.sign(), "the token is signed with a key that the issuer does not have"],
    [unsigned, "the token's algorithm is not allowed"],
  ] as const;
  for (const [token, reason] of refusals) {
    assert.deepEqual(await overGrpc(token), [status.UNAUTHENTICATED, reason]);
    const header = `Bearer ${token === undefined ? "" : 'error="invalid_token", '}error_description="${reason}"`;
    assert.deepEqual(await overHttp(token), [401, `Unauthorized: ${reason}`, header]);
  }
  const reason = "the token's subject may not call this server";
  for (const sub of [
    "system:serviceaccount:other:client",
    "x:system:serviceaccount:default:client",
    "admin2",
    undefined,
  ]) {
    const token = await key.sign({ sub } as JWTPayload);
    assert.deepEqual(await overGrpc(token), [status.PERMISSION_DENIED, reason], sub);
    const header = `Bearer error="insufficient_scope", error_description="${reason}"`;
    assert.deepEqual(await overHttp(token), [403, `Forbidden: ${reason}`, header], sub);
  }
  assert.deepEqual(await overGrpc(await key.sign({ sub: "admin" })), [0, "a"]);
  assert.equal((await overHttp(undefined, "/"))[0], 401);
  for (const path of ["/healthz", "/readyz"]) assert.equal((await overHttp(undefined, path))[0], 200);
  assert.deepEqual(problems, []);
  const reasons = [...refusals.map(([, reason]) => reason), reason];
  assert.deepEqual(
    refused,
    reasons.map((each) => `127.0.0.1: ${each}`),
  );

  const unreadable = "Service Unavailable: the keys of the issuer cannot be read";
  for (let n = 0; n < 2; n++) assert.deepEqual(await overHttp(good, "/pod", deniedHttp), [503, unreadable, null]);
  assert.deepEqual(problems, [`cannot fetch the keys of the issuer: GET ${url}: 403 Forbidden`]);
});

test("a server whose keys cannot be read at the start says so, and is ready when they were read", async (t) => {
  const { jwk } = await createKey("one");
  const [jwksPort, httpPort] = [await closedPort(), await closedPort()];
  const jwks = `http://127.0.0.1:${jwksPort}/jwks`;
  const flags = ["--auth-jwks", jwks, "--auth-issuer", issuer, "--auth-audience", audience];
  const ports = ["--bind-address", "127.0.0.1", "--http-port", String(httpPort), "--grpc-port", "0"];
  const server = startProgram(`${import.meta.dirname}/main.ts`, [...ports, ...flags, "--drain-delay", "0"]);
  t.after(() => server.stop());
  const ready = async () => {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
    return [answer.status, await answer.text()];
  };
  const warning = JSON.parse(await server.line((line) => line.includes("cannot be read")));
  assert.equal(warning.msg, "keys of the issuer cannot be read; the server is not ready until they are read");
  assert.match(warning.reason, new RegExp(`^cannot fetch the keys of the issuer: GET ${jwks}: .*ECONNREFUSED`));
  assert.deepEqual(await ready(), [503, "starting: waiting for the keys of the issuer"]);
  const issuing = createHttpServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
  t.after(() => issuing.close());
  issuing.listen(jwksPort, "127.0.0.1");
  await server.line((line) => line.includes('"serving"'));
  assert.deepEqual(await ready(), [200, "ok"]);
});

test("two headers with a token are refused", async (t) => {
  const key = await createKey("one");
  const folder = mkdtempSync(join(tmpdir(), "server-auth-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "jwks.json");
  writeFileSync(file, JSON.stringify({ keys: [key.jwk] }));
  const auth = await openServerAuth(
    { ...none, authJwks: file, authIssuer: issuer, authAudience: audience },
    assert.fail,
  );
  const http = await listenHttp(pod, createReadiness(), createWorkload().workload, { ...address, auth });
  t.after(() => http.close());
  const guard = new RequestGuard(new AbortController().signal, systemClock);
  const token = `Bearer ${await key.sign()}`;
  const request = { host: "127.0.0.1", port: http.port, path: "/pod" };
  const http1 = new HttpClient({ isSecure: false, keepAlive: false });
  const statusWith = (authorization: string | readonly string[]) =>
    http1.exchange({ ...request, headers: { authorization } }, guard, async ({ status }) => status);
  assert.deepEqual([await statusWith(token), await statusWith([token, token])], [200, 401]);
  guard.release();
});

test("flags that need another, and a file without keys, are one line with exit code 2", async () => {
  const needed = { authIssuer: issuer, authAudience: audience };
  const manifest = `${import.meta.dirname}/../package.json`;
  for (const [flags, message] of [
    [{ authIssuer: issuer }, "--auth-issuer has no effect without --auth-jwks"],
    [{ authSubjects: ["a"] }, "--auth-subjects has no effect without --auth-jwks"],
    [{ authJwks: "/jwks" }, "--auth-jwks needs --auth-issuer and --auth-audience"],
    [{ authJwks: manifest, ...needed }, `--auth-jwks ${manifest} cannot be used: it has no list "keys"`],
    [
      { authJwks: "http://localhost/jwks", authJwksTokenFile: "/t", ...needed },
      "--auth-jwks-token-file needs an https URL in --auth-jwks",
    ],
  ] as const) {
    await assert.rejects(openServerAuth({ ...none, ...flags }, assert.fail), {
      name: "ProgramError",
      exitCode: 2,
      message,
    });
  }
  for (const text of ["https://x/jwks", "http://localhost:1/jwks", "http://127.0.0.1/", "http://[::1]:1/", "/jwks"]) {
    assert.equal(serverAuthFlags.authJwks.parse(text), text);
  }
  for (const text of ["http://example.com/keys", "HTTP://10.0.0.1/", "http://localhost.example.com/"]) {
    assert.throws(() => serverAuthFlags.authJwks.parse(text), {
      message: "must be an https URL or a file; http is for this machine alone",
    });
  }
  assert.throws(() => serverAuthFlags.authJwks.parse("ftp://x"), /^RangeError: must be an https URL or a file$/);
});
