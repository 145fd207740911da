import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { closedPort, ManualClock, until } from "@grpc-lb/core/testing";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { answers, call, kinds, LogRecorder, Rig } from "../../testing/index.ts";
import { createServerLogging } from "../logging/logging.ts";
import { claimsOf, createServerAuth, createServerAuthIn, type ServerAuthOptions } from "./server-auth.ts";

const [issuer, audience] = ["https://issuer.test", "server"];
const method = "/grpclb.test.Echo/Say";
const nowSeconds = () => Math.floor(Date.now() / 1_000);

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];

/** An issuer with keys that can be rotated. */
class Issuer {
  readonly keys: object[] = [];
  #private: PrivateKey | undefined;
  #kid: string | undefined;

  /** @param kid undefined for a key without an id */
  async rotate(kid: string | undefined): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    this.keys.splice(0, this.keys.length, {
      ...(await exportJWK(publicKey)),
      ...(kid && { kid }),
      alg: "ES256",
      use: "sig",
    });
    this.#private = privateKey;
    this.#kid = kid;
  }

  sign(claims: JWTPayload = {}): Promise<string> {
    const payload = { iss: issuer, aud: audience, sub: "client", exp: nowSeconds() + 60, ...claims };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: "ES256", ...(this.#kid && { kid: this.#kid }) })
      .sign(this.#private as PrivateKey);
  }

  get jwks(): string {
    return JSON.stringify({ keys: this.keys });
  }
}

async function createIssuer(t: TestContext) {
  const signer = new Issuer();
  await signer.rotate("one");
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-jwks-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "jwks.json");
  const write = () => writeFileSync(file, signer.jwks);
  write();
  return { signer, file, write };
}

async function start(t: TestContext, options: Partial<ServerAuthOptions> = {}) {
  const rig = new Rig(t);
  const { signer, file, write } = await createIssuer(t);
  const clock = new ManualClock();
  const log = new LogRecorder();
  const handled: ServerUnaryCall<string, string>[] = [];
  const auth = createServerAuthIn({ jwks: { file }, issuer, audience, ...options }, clock);
  const address = await rig.serve(
    {
      say: (incoming, respond) => {
        handled.push(incoming);
        respond(null, incoming.request);
      },
    },
    { interceptors: [createServerLogging({ logger: log }), auth] },
  );
  const client = rig.client(address);
  const callWith = async (token?: string, kind: (typeof kinds)[number] = "say") => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    const outcome = await call(client, kind, { metadata });
    if (token !== undefined) assert.ok(!JSON.stringify([outcome, log.entries]).includes(token), "the token leaks");
    return outcome;
  };
  return { signer, write, clock, log, handled, callWith, client };
}

for (const kind of kinds) {
  test(`${kind}: a call with a valid token goes on, one without ends before its handler`, async (t) => {
    const { signer, callWith } = await start(t);
    assert.deepEqual((await callWith(await signer.sign(), kind)).messages, answers[kind]);
    const { code, details, messages } = await callWith(undefined, kind);
    assert.equal(code, status.UNAUTHENTICATED);
    assert.deepEqual(messages, []);
    assert.match(details, /authorization: Bearer/);
  });

  test(`${kind}: a call that is cancelled while its token is checked does not reach its handler`, async (t) => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    let isAsked = () => {};
    const asked = new Promise<void>((started) => {
      isAsked = started;
    });
    const slow = (() => {
      isAsked();
      return promise;
    }) as typeof fetch;
    const { signer, client, handled } = await start(t, { jwks: { url: "http://127.0.0.1:1/jwks", fetch: slow } });
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${await signer.sign()}`);
    const onStart = (started: { cancel(): void }) => void asked.then(() => started.cancel());
    assert.equal((await call(client, kind, { metadata, onStart })).code, status.CANCELLED);
    resolve(new Response(signer.jwks, { headers: { "content-type": "application/json" } }));
    assert.deepEqual(handled, []);
  });
}

for (const [what, claims, reason] of [
  ["an expired token", { exp: nowSeconds() - 60 }, "the token has expired"],
  ["a token without an end", { exp: undefined }, "the token does not expire"],
  ["a token of another issuer", { iss: "https://other.test" }, "the token is of another issuer"],
  ["a token for another audience", { aud: ["other"] }, "the token is for another audience"],
  ["a token that is not valid yet", { nbf: nowSeconds() + 600 }, "the token is not valid yet"],
] as const) {
  test(`${what} is UNAUTHENTICATED: ${reason}`, async (t) => {
    const { signer, callWith, handled } = await start(t);
    const { code, details } = await callWith(await signer.sign(claims as JWTPayload));
    assert.deepEqual({ code, details }, { code: status.UNAUTHENTICATED, details: reason });
    assert.deepEqual(handled, []);
  });
}

test("a token with algorithm none, one with a shared secret, and text are refused", async (t) => {
  const { signer, callWith } = await start(t);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const payload = { iss: issuer, aud: audience, exp: nowSeconds() + 60 };
  const secret = await new SignJWT(payload)
    .setProtectedHeader({ alg: "HS256", kid: "one" })
    .sign(Buffer.from(signer.jwks));
  for (const token of [`${encode({ alg: "none" })}.${encode(payload)}.`, secret, "hunter2-text", "a.b.c"]) {
    assert.equal((await callWith(token)).code, status.UNAUTHENTICATED);
  }
});

test("a token whose payload was changed is refused", async (t) => {
  const { signer, callWith } = await start(t);
  const [header, , signature] = (await signer.sign()).split(".");
  const [, payload] = (await signer.sign({ sub: "admin" })).split(".");
  const { code, details } = await callWith(`${header}.${payload}.${signature}`);
  assert.deepEqual({ code, details }, { code: status.UNAUTHENTICATED, details: "the token's signature is wrong" });
});

test("a refused call is reported with its reason and the client's address", async (t) => {
  const refused: [reason: string, peer: string][] = [];
  const { signer, callWith } = await start(t, { onRefused: (reason, peer) => void refused.push([reason, peer]) });
  await callWith(await signer.sign({ exp: nowSeconds() - 60 }));
  await callWith(await signer.sign());
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.[0], "the token has expired");
  assert.match(refused[0]?.[1] ?? "", /^127\.0\.0\.1:\d+$/);
});

test("the leeway forgives clocks that differ", async (t) => {
  const { signer, callWith } = await start(t, { leewaySeconds: 120 });
  assert.equal((await callWith(await signer.sign({ exp: nowSeconds() - 60 }))).code, 0);
});

test("a key that was rotated in the file is found, after the cooldown", async (t) => {
  const { signer, callWith, write, clock } = await start(t);
  assert.equal((await callWith(await signer.sign())).code, 0);
  const old = await signer.sign();
  await signer.rotate("two");
  write();
  const { details } = await callWith(await signer.sign());
  assert.equal(details, "the token is signed with a key that the issuer does not have");
  clock.advance(5_000);
  assert.equal((await callWith(await signer.sign())).code, 0);
  assert.equal((await callWith(old)).code, status.UNAUTHENTICATED);
});

for (const [what, kid] of [
  ["whose id is used again", "one"],
  ["without an id", undefined],
] as const) {
  test(`a new key ${what} is found by its signature, after the cooldown, and forged tokens make no storm of reads`, async (t) => {
    const { callWith, signer, clock, reads } = await startWithKeys(t, "url");
    await signer.rotate(kid);
    const old = await signer.sign();
    assert.equal((await callWith(old)).code, 0);
    await signer.rotate(kid);
    const token = await signer.sign();
    assert.equal((await callWith(token)).details, "the token's signature is wrong");
    assert.equal(reads(), 1, "the keys were read a moment ago");
    clock.advance(5_000);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => callWith(token)));
    assert.deepEqual([...new Set(outcomes.map(({ code }) => code))], [0]);
    assert.equal(reads(), 2);
    for (let n = 0; n < 10; n++) assert.equal((await callWith(old)).details, "the token's signature is wrong");
    assert.equal(reads(), 2);
    clock.advance(5_000);
    await Promise.all(Array.from({ length: 10 }, () => callWith(old)));
    assert.equal(reads(), 3);
  });
}

test("an issuer that cannot be reached makes calls UNAVAILABLE", async (t) => {
  const { signer, callWith } = await start(t, { jwks: { url: `http://127.0.0.1:${await closedPort()}/jwks` } });
  const { code, details } = await callWith(await signer.sign());
  assert.deepEqual({ code, details }, { code: status.UNAVAILABLE, details: "the keys of the issuer cannot be read" });
});

/** Keys that can be taken away, by URL or in a file; a read takes a turn of the event loop, not time. */
async function startWithKeys(t: TestContext, by: "url" | "file") {
  const problems: string[] = [];
  const onProblem = (message: string) => problems.push(message);
  const { signer, file } = await createIssuer(t);
  let [reads, isAway] = [0, false];
  const get = (async () => {
    reads += 1;
    if (isAway) throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
    return new Response(signer.jwks);
  }) as typeof fetch;
  const url = "http://127.0.0.1:1/jwks?key=hunter2";
  const started = await start(t, { jwks: by === "url" ? { url, fetch: get, onProblem } : { file, onProblem } });
  const set = (next: boolean) => {
    isAway = next;
    if (next) rmSync(file);
    else writeFileSync(file, signer.jwks);
  };
  return { ...started, signer, problems, set, reads: () => reads };
}

const cannotRead = {
  url: /^cannot fetch the keys of the issuer: GET http:\/\/127.0.0.1:1\/jwks: connect ECONNREFUSED$/,
  file: /^cannot read the keys of the issuer: \/.*: no such file$/,
};

for (const by of ["url", "file"] as const) {
  test(`keys by ${by} stay in use for 24 h while they cannot be read, which is reported once`, async (t) => {
    const { callWith, signer, clock, problems, set } = await startWithKeys(t, by);
    assert.equal((await callWith(await signer.sign())).code, 0);
    set(true);
    for (const ms of [601_000, 5_000, 3_600_000, 82_000_000]) {
      clock.advance(ms);
      assert.equal((await callWith(await signer.sign())).code, 0);
    }
    await until(() => problems.length > 0, "the report");
    clock.advance(3_600_000);
    const { code, details } = await callWith(await signer.sign());
    assert.deepEqual([code, details], [status.UNAVAILABLE, "the keys of the issuer cannot be read"]);
    assert.equal(problems.length, 1, problems.join("; "));
    assert.match(problems[0] ?? "", cannotRead[by]);
    set(false);
    clock.advance(5_000);
    assert.equal((await callWith(await signer.sign())).code, 0);
    set(true);
    await signer.rotate("two");
    clock.advance(5_000);
    assert.equal((await callWith(await signer.sign())).code, status.UNAVAILABLE, "an unknown key may be a new one");
    assert.equal(problems.length, 2, "after a read that worked, the next failure is news");
  });
}

test("keys are fetched once for all calls, every 10 min, and at most every 5 s while they cannot be", async (t) => {
  const { callWith, signer, clock, set, reads } = await startWithKeys(t, "url");
  const call10 = async () => {
    const token = await signer.sign();
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => callWith(token)));
    return [...new Set(outcomes.map(({ code }) => code))];
  };
  set(true);
  assert.deepEqual([await call10(), await call10(), reads()], [[status.UNAVAILABLE], [status.UNAVAILABLE], 1]);
  set(false);
  clock.advance(5_000);
  assert.deepEqual([await call10(), await call10(), reads()], [[0], [0], 2]);
  clock.advance(600_000);
  assert.deepEqual([await call10(), reads()], [[0], 3]);
});

test("an answer without keys, one that is too long, and one that is no JSON take no good keys away", async (t) => {
  const { signer } = await createIssuer(t);
  let body = signer.jwks;
  const problems: string[] = [];
  const onProblem = (message: string) => {
    problems.push(message);
    throw new Error("of the callback");
  };
  const get = (async () => new Response(body)) as typeof fetch;
  const url = "http://127.0.0.1:1/jwks";
  const { callWith, clock } = await start(t, { jwks: { url, fetch: get, onProblem } });
  const token = await signer.sign();
  assert.equal((await callWith(token)).code, 0);
  for (const [n, answer] of ['{"keys":[]}', " ".repeat(1_048_577), "hunter2", '{"keys":1}'].entries()) {
    body = answer;
    clock.advance(600_000);
    assert.equal((await callWith(token)).code, 0);
    await until(() => problems.length === n + 1, "the report");
  }
  const prefix = `cannot fetch the keys of the issuer: GET ${url}: `;
  assert.deepEqual(
    problems.map((problem) => problem.replace(prefix, "")),
    [
      "it has no keys",
      "the answer is larger than 1048576 bytes",
      "it is not valid JSON",
      "it is not a JSON Web Key Set",
    ],
  );
});

test("a method without one of its scopes is PERMISSION_DENIED, and so is what authorize refuses", async (t) => {
  const scopes = (path: string) => (path === method ? ["read", "write"] : []);
  const authorize = ({ sub }: JWTPayload) => (sub === "client" ? undefined : "only the client may call");
  const { signer, callWith } = await start(t, { scopes, authorize });
  assert.equal((await callWith(await signer.sign({ scope: "write read" }))).code, 0);
  assert.equal((await callWith(await signer.sign({ scp: ["write", "read"] }))).code, 0);
  const lacking = await callWith(await signer.sign({ scope: "read" }));
  assert.deepEqual([lacking.code, lacking.details], [status.PERMISSION_DENIED, "the token lacks the scope write"]);
  const refused = await callWith(await signer.sign({ scope: "read write", sub: "other" }));
  assert.deepEqual([refused.code, refused.details], [status.PERMISSION_DENIED, "only the client may call"]);
});

test("the handler has the claims, and not the token", async (t) => {
  const { signer, callWith, handled } = await start(t);
  await callWith(await signer.sign());
  const [incoming] = handled;
  assert.equal(claimsOf(incoming?.metadata as Metadata)?.sub, "client");
  assert.deepEqual(incoming?.metadata.get("authorization"), []);
});

test("methods that are public need no token", async (t) => {
  const { callWith, handled } = await start(t, { isPublic: (path) => path === method });
  assert.equal((await callWith()).code, 0);
  assert.equal(claimsOf(handled[0]?.metadata as Metadata), undefined);
});

test("options are checked, and errors do not repeat them", () => {
  const wrong = { jwks: { url: "no url" }, issuer, audience };
  assert.throws(() => createServerAuth(wrong), /createServerAuth: jwks\.url must be a URL, got a string$/);
});
