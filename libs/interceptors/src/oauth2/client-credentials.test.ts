import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { ManualClock, until } from "@grpc-lb/core/testing";
import { tokenFromClientCredentials, tokenFromClientCredentialsIn } from "./client-credentials.ts";

const secret = "hunter2-secret";

/** An authorization server; `refusal` makes it refuse. */
async function startIssuer(t: TestContext) {
  const state = {
    failing: undefined as string | undefined,
    status: 500,
    refusal: undefined as string | undefined,
    methods: undefined as string[] | undefined,
    /** What answers wait for. */
    delay: Promise.resolve(),
    discoveries: 0,
    requests: [] as URLSearchParams[],
    authorizations: [] as (string | undefined)[],
  };
  const server = createServer(async (request, response) => {
    response.setHeader("content-type", "application/json").setHeader("connection", "close");
    if (state.failing !== undefined && request.url?.startsWith(state.failing)) {
      response.writeHead(state.status).end(JSON.stringify({ problem: secret }));
      return;
    }
    if (request.url?.startsWith("/.well-known/")) {
      state.discoveries += 1;
      const { methods: token_endpoint_auth_methods_supported } = state;
      response.end(JSON.stringify({ issuer, token_endpoint: `${issuer}token`, token_endpoint_auth_methods_supported }));
      return;
    }
    state.requests.push(new URLSearchParams(await read(request)));
    state.authorizations.push(request.headers.authorization);
    await state.delay;
    if (state.refusal) {
      response.writeHead(401).end(JSON.stringify({ error: state.refusal, error_description: `not ${secret}` }));
    } else {
      const n = state.requests.length;
      response.end(JSON.stringify({ access_token: `token-${n}`, token_type: "bearer", expires_in: 100 }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  t.after(close);
  return { issuer, state, close };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

test("a token is fetched with the client's credentials, and a new one after 80 % of its life", async (t) => {
  const { issuer, state } = await startIssuer(t);
  const clock = new ManualClock();
  const token = tokenFromClientCredentialsIn(
    { issuer, clientId: "client", clientSecret: () => secret, scope: "read", parameters: { audience: "server" } },
    clock,
  );
  assert.deepEqual(await Promise.all([token(), token()]), ["token-1", "token-1"]);
  const { grant_type, scope, audience, client_id, client_secret } = Object.fromEntries(state.requests[0] ?? []);
  assert.deepEqual(
    { grant_type, scope, audience, client_id, client_secret },
    { grant_type: "client_credentials", scope: "read", audience: "server", client_id: "client", client_secret: secret },
  );
  clock.advance(79_000);
  assert.equal(await token(), "token-1");
  clock.advance(1_000);
  assert.equal(await token(), "token-1", "it is still good");
  let latest = "token-1";
  await until(() => {
    void Promise.resolve(token()).then((next) => {
      latest = next;
    });
    return latest === "token-2";
  }, "the new token");
  clock.advance(90_000);
  assert.equal(await token(), "token-3", "a call waits when the end is near");
  assert.equal(state.discoveries, 1);
});

test("a slow server delays no call while the token is good", async (t) => {
  const { issuer, state } = await startIssuer(t);
  const clock = new ManualClock();
  const token = tokenFromClientCredentialsIn({ issuer, clientId: "client", clientSecret: secret }, clock);
  await token();
  const { promise, resolve } = Promise.withResolvers<void>();
  state.delay = promise;
  clock.advance(80_000);
  for (let n = 0; n < 10; n++) assert.equal(await token(), "token-1");
  await until(() => state.requests.length === 2, "the request");
  clock.advance(20_000);
  const waiting = Promise.all([token(), token()]);
  resolve();
  assert.deepEqual(await waiting, ["token-2", "token-2"]);
  assert.equal(state.requests.length, 2);
});

for (const [methods, isHeader] of [
  [["client_secret_basic", "private_key_jwt"], true],
  [["client_secret_basic", "client_secret_post"], false],
] as const) {
  test(`a server with ${methods.join(" and ")} gets the secret in the ${isHeader ? "header" : "body"}`, async (t) => {
    const { issuer, state } = await startIssuer(t);
    state.methods = [...methods];
    const options = { issuer, clientId: "client", clientSecret: secret };
    await tokenFromClientCredentialsIn(options, new ManualClock())();
    const sent = [
      decodeURIComponent(atob(state.authorizations[0]?.slice(6) ?? "")),
      state.requests[0]?.get("client_secret"),
    ];
    assert.deepEqual(sent, isHeader ? [`client:${secret}`, null] : ["", secret]);
  });
}

test("a token lasts to its end while the server refuses, and then the error has the code and no secret", async (t) => {
  const { issuer, state } = await startIssuer(t);
  const clock = new ManualClock();
  const token = tokenFromClientCredentialsIn({ issuer, clientId: "client", clientSecret: secret }, clock);
  await token();
  state.refusal = "invalid_client";
  clock.advance(90_000);
  assert.equal(await token(), "token-1");
  clock.advance(10_000);
  await assert.rejects(
    async () => token(),
    (error: Error) => /invalid_client/.test(error.message) && !error.message.includes(secret),
  );
});

test("a server that refuses is asked again after a pause that doubles, and calls meanwhile have its error", async (t) => {
  const { issuer, state } = await startIssuer(t);
  const clock = new ManualClock();
  const token = tokenFromClientCredentialsIn({ issuer, clientId: "client", clientSecret: secret }, clock);
  state.refusal = "invalid_client";
  const call100 = async () => {
    for (let n = 0; n < 100; n++) await assert.rejects(async () => token(), /invalid_client/);
    return state.requests.length;
  };
  assert.equal(await call100(), 1);
  const after: number[] = [];
  for (const ms of [999, 1, 1_999, 1, 4_000, 8_000, 10_000]) {
    clock.advance(ms);
    after.push(await call100());
  }
  assert.deepEqual(after, [1, 2, 2, 3, 4, 5, 6]);
  state.refusal = undefined;
  clock.advance(10_000);
  assert.equal(await token(), "token-7");
  assert.equal(state.discoveries, 7, "a refusal may mean that the issuer's metadata have changed");
});

test("a server that cannot be reached is an error that names the issuer", async (t) => {
  const { issuer, close } = await startIssuer(t);
  await close();
  const token = tokenFromClientCredentialsIn({ issuer, clientId: "client", clientSecret: secret }, new ManualClock());
  await assert.rejects(
    async () => token(),
    (error: Error) => error.message.startsWith(issuer) && !error.message.includes(secret),
  );
});

for (const [what, failing, status, path] of [
  ["discovery", "/.well-known/", 404, ".well-known/openid-configuration"],
  ["the token endpoint", "/token", 500, "token"],
] as const) {
  test(`an answer ${status} of ${what} is an error with that status and the URL`, async (t) => {
    const { issuer, state } = await startIssuer(t);
    Object.assign(state, { failing, status });
    const token = tokenFromClientCredentialsIn({ issuer, clientId: "client", clientSecret: secret }, new ManualClock());
    await assert.rejects(
      async () => token(),
      (error: Error) => error.message.endsWith(`HTTP ${status} of ${issuer}${path}`) && !error.message.includes(secret),
    );
  });
}

test("an issuer that anyone on the network could pretend to be is refused at once", () => {
  const options = { clientId: "client", clientSecret: secret };
  for (const issuer of ["http://issuer.test", "ftp://127.0.0.1", "issuer.test"]) {
    assert.throws(() => tokenFromClientCredentials({ ...options, issuer }), {
      name: "TypeError",
      message: /^tokenFromClientCredentials: issuer must be an https URL, or an http URL of this machine/,
    });
  }
});

test("an empty client id or secret is refused at once", () => {
  const options = { issuer: "https://issuer.test", clientId: "client", clientSecret: secret };
  for (const name of ["clientId", "clientSecret"] as const) {
    assert.throws(() => tokenFromClientCredentials({ ...options, [name]: "" }), {
      name: "TypeError",
      message: new RegExp(`^tokenFromClientCredentials: ${name} must be a text that is not empty`),
    });
  }
});
