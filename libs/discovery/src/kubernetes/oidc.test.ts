import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock, makeCertificates, turn, until } from "@grpc-lb/core/testing";
import { createKubeconfigAccessIn } from "./kubeconfig.ts";

const certificates = makeCertificates();
const skip = certificates ? false : "openssl is not installed";
const caFile = certificates?.caFile ?? "";
const folder = mkdtempSync(join(tmpdir(), "oidc-"));
after(async () => {
  rmSync(folder, { recursive: true });
  certificates?.remove();
  await assertNothingLeft();
});

/** An id token, as far as a client reads it. */
function jwt(expiresInSeconds: number, claims: object = {}): string {
  const now = Math.floor(Date.now() / 1_000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const payload = { sub: "user", aud: "id", iat: now, exp: now + expiresInSeconds, ...claims };
  return `${encode({ alg: "RS256" })}.${encode(payload)}.${encode({ signature: 1 })}`;
}

/** Access by a kubeconfig whose user has these fields of an OIDC provider. */
function accessOf(config: object, clock?: ManualClock, place = folder) {
  const path = join(place, "oidc.kubeconfig");
  const text = {
    "current-context": "here",
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443" } }],
    users: [{ name: "u", user: { "auth-provider": { name: "oidc", config: { "client-id": "id", ...config } } } }],
    contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
  };
  writeFileSync(path, JSON.stringify(text));
  return createKubeconfigAccessIn(path, { clock });
}

interface Answer {
  readonly status?: number;
  readonly body: unknown;
}

/** An issuer on loopback, of whose metadata and tokens a test changes some fields. */
async function startIssuer(t: TestContext, options: { metadata?: object; token?: (issuer: string) => Answer } = {}) {
  const requests: string[] = [];
  const pair = certificates?.server ?? { certFile: "", keyFile: "" };
  const server = createServer(
    { key: readFileSync(pair.keyFile), cert: readFileSync(pair.certFile) },
    async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      requests.push([request.method, request.url, request.headers.authorization, body].filter(Boolean).join(" "));
      const tokens = { access_token: "a", token_type: "Bearer", expires_in: 60, refresh_token: `r${requests.length}` };
      const answer: Answer =
        request.method === "GET"
          ? { body: { issuer: url, token_endpoint: `${url}/token`, ...options.metadata } }
          : (options.token?.(url) ?? { body: { ...tokens, id_token: jwt(60, { iss: url }) } });
      response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    },
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = {
    "idp-issuer-url": url,
    "idp-certificate-authority": caFile,
    "id-token": jwt(-60),
    "refresh-token": "r0",
  };
  return { requests, url, config };
}

const discovery = "GET /.well-known/openid-configuration";
const refreshBy = (token: string) => `POST /token Basic aWQ6cw== refresh_token=${token}&grant_type=refresh_token`;

test("an OIDC token is used until it expires; one that has expired without a refresh token is an error", async () => {
  const token = jwt(60);
  const access = await accessOf({ "id-token": token });
  assert.equal((await access.credentials(false)).headers.authorization, `Bearer ${token}`);
  const expired = await accessOf({ "id-token": jwt(-60) });
  await assert.rejects(expired.credentials(false), {
    code: "permissionDenied",
    message:
      'kubernetes: the credentials of context "here": user "u": auth-provider: config: ' +
      "the id-token has expired, and there is no refresh-token: log in again",
  });
});

test("an expired token is refreshed once, not with every request, also after a denial", { skip }, async (t) => {
  const { requests, config } = await startIssuer(t);
  const access = await accessOf({ ...config, "client-secret": "s" });
  const read = async (afterDenial: boolean) => (await access.credentials(afterDenial)).headers.authorization;
  const first = await read(false);
  assert.match(String(first), /^Bearer eyJ/);
  assert.deepEqual([await read(false), await read(true), await read(false)], [first, first, first]);
  assert.deepEqual(requests, [discovery, refreshBy("r0")]);
});

test("callers at the same time share one refresh, also if the server has denied one of them", { skip }, async (t) => {
  const { requests, config } = await startIssuer(t);
  const access = await accessOf({ ...config, "client-secret": "s" });
  const all = await Promise.all([access.credentials(false), access.credentials(true), access.credentials(false)]);
  assert.equal(new Set(all.map(({ headers }) => headers.authorization)).size, 1);
  assert.deepEqual(requests, [discovery, refreshBy("r0")]);
});

test("a token that expires within 10 s is refreshed, with the last refresh token of the issuer", {
  skip,
}, async (t) => {
  const replies = ["r1", undefined, undefined];
  const { requests, config } = await startIssuer(t, {
    token: (iss) => {
      const refreshed = { access_token: "a", token_type: "Bearer", refresh_token: replies.shift() };
      return { body: { ...refreshed, id_token: jwt(5, { iss }) } };
    },
  });
  const access = await accessOf({ ...config, "id-token": jwt(5), "client-secret": "s" });
  for (let count = 0; count < 3; count++) await access.credentials(false);
  const posts = requests.filter((request) => request !== discovery);
  assert.deepEqual(posts, [refreshBy("r0"), refreshBy("r1"), refreshBy("r1")]);
});

for (const [name, metadata, secret, want] of [
  ["none: only the client id is sent", {}, undefined, "refresh_token=r0&grant_type=refresh_token&client_id=id"],
  [
    "an issuer that takes it in the body only",
    { token_endpoint_auth_methods_supported: ["client_secret_post"] },
    "s",
    "refresh_token=r0&grant_type=refresh_token&client_id=id&client_secret=s",
  ],
] as const) {
  test(`the client secret: ${name}`, { skip }, async (t) => {
    const { requests, config } = await startIssuer(t, { metadata });
    await (await accessOf({ ...config, "client-secret": secret })).credentials(false);
    assert.equal(requests.at(-1), `POST /token ${want}`);
  });
}

test("the issuer's CA: data, a file relative to the kubeconfig, and none", { skip }, async (t) => {
  const { requests, config } = await startIssuer(t);
  const place = dirname(caFile);
  const data = readFileSync(caFile).toString("base64");
  for (const ca of [{ "idp-certificate-authority-data": data }, { "idp-certificate-authority": basename(caFile) }]) {
    const access = await accessOf({ ...config, "idp-certificate-authority": "", ...ca }, undefined, place);
    await access.credentials(false);
  }
  assert.equal(requests.length, 4);
  const access = await accessOf({ ...config, "idp-certificate-authority": "" });
  await assert.rejects(access.credentials(false), /config: 127\.0\.0\.1:\d+: .*(self-signed|unable to)/);
});

test("an issuer that never answers ends at the deadline of 30 s, and with the reader", { skip }, async (t) => {
  const pair = certificates?.server ?? { certFile: "", keyFile: "" };
  let waiting = 0;
  const server = createServer({ key: readFileSync(pair.keyFile), cert: readFileSync(pair.certFile) }, (request) => {
    waiting += 1;
    request.socket.once("close", () => (waiting -= 1));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clock = new ManualClock();
  const access = await accessOf(
    {
      "idp-issuer-url": url,
      "idp-certificate-authority": caFile,
      "refresh-token": "r0",
    },
    clock,
  );
  const late = assert.rejects(access.credentials(false), /the id-token was not refreshed: no answer within 30 s/);
  await until(() => waiting === 1, "the issuer has the request");
  clock.advance(29_999);
  await turn();
  assert.equal(waiting, 1);
  clock.advance(1);
  await late;
  await until(() => waiting === 0, "the connection is closed");

  const reader = new AbortController();
  const ended = assert.rejects(access.credentials(false, reader.signal));
  await until(() => waiting === 1, "the issuer has the request");
  reader.abort();
  await ended;
  await until(() => waiting === 0, "the connection is closed");
  assert.equal(clock.sleeping, 0);
});

for (const [name, token, want] of [
  [
    "a refusal",
    () => ({ status: 400, body: { error: "invalid_grant", error_description: "r0-secret has expired" } }),
    /the issuer did not refresh the id-token: 400 invalid_grant$/,
  ],
  [
    "a refusal that repeats the refresh token",
    () => ({ status: 400, body: { error: "r0-secret" } }),
    /the issuer did not refresh the id-token: 400$/,
  ],
  ["an error without JSON", () => ({ status: 503, body: "r0-secret" }), /unexpected HTTP response status code/],
  ["an answer that is not JSON", () => ({ body: "r0-secret" }), /parsing error/],
  [
    "an answer without an id token",
    () => ({ body: { access_token: "a-secret", token_type: "Bearer" } }),
    /the issuer's answer has no id_token$/,
  ],
  [
    "an id token that is not a JWT",
    () => ({ body: { access_token: "a-secret", token_type: "Bearer", id_token: "i-secret" } }),
    /invalid response encountered/,
  ],
  [
    "an id token for another client",
    (iss: string) => ({
      body: { access_token: "a-secret", token_type: "Bearer", id_token: jwt(60, { iss, aud: "x-secret" }) },
    }),
    /unexpected JWT claim value encountered/,
  ],
] as const) {
  test(`an error of a refresh repeats no token: ${name}`, { skip }, async (t) => {
    const { config } = await startIssuer(t, { token });
    const access = await accessOf({ ...config, "refresh-token": "r0-secret", "client-secret": "s-secret" });
    await assert.rejects(access.credentials(false), (error: Error) => {
      assert.match(error.message, want);
      for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
        assert.doesNotMatch(`${cause.stack}`, /secret|eyJ/);
      }
      return true;
    });
  });
}

for (const [name, config, want] of [
  ["a token that is not a JWT", { "id-token": "secret" }, /the id-token is not a valid JWT/],
  ["an issuer without TLS", { "idp-issuer-url": "http://secret.test" }, /idp-issuer-url must be an https:\/\/ URL/],
  ["an issuer that is not a URL", { "idp-issuer-url": "secret" }, /idp-issuer-url must be an https:\/\/ URL/],
  ["no issuer", {}, /idp-issuer-url is required/],
  ["no client id", { "client-id": "", "idp-issuer-url": "https://issuer.test" }, /client-id is required/],
] as const) {
  test(`an OIDC user that cannot be used is an error that repeats no secret: ${name}`, async () => {
    const access = await accessOf({ "refresh-token": "secret", ...config });
    await assert.rejects(access.credentials(false), (error: Error) => {
      assert.match(error.message, want);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}

test("a token endpoint without TLS gets no refresh token", { skip }, async (t) => {
  const { config, requests } = await startIssuer(t, { metadata: { token_endpoint: "http://127.0.0.1:1/token" } });
  await assert.rejects((await accessOf(config)).credentials(false), /only requests to HTTPS are allowed/);
  assert.deepEqual(requests, [discovery]);
});

test("an issuer that is not reached is named in the error", async () => {
  const host = `127.0.0.1:${await closedPort()}`;
  const access = await accessOf({ "idp-issuer-url": `https://${host}`, "refresh-token": "r0" });
  await assert.rejects(access.credentials(false), new RegExp(`config: ${host}: connect ECONNREFUSED`));
});
