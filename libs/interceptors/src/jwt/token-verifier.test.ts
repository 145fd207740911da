import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { createServerAuth, createTokenVerifier } from "./index.ts";

const options = { jwks: { file: "/none" }, issuer: "https://issuer.test", audience: "server" };

test("a server of another protocol gets the refusal as a value, also while the keys cannot be read", async () => {
  const verify = createTokenVerifier(options);
  const header = Buffer.from('{"alg":"ES256","kid":"one"}').toString("base64url");
  for (const [authorization, code, details] of [
    [undefined, status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [null, status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    ["Bearer text", status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [[], status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [["Bearer a", "Bearer b"], status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [["Bearer text"], status.UNAUTHENTICATED, "the token is not a signed JWT"],
    [[`Bearer ${header}.e30.AA`], status.UNAVAILABLE, "the keys of the issuer cannot be read"],
  ] as const) {
    assert.deepEqual(await verify(authorization as never, "GET /"), { refusal: { code, details } });
  }
});

for (const kid of [undefined, "one"]) {
  test(`a token is checked by each key that may have signed it: two keys ${kid ? "with one id" : "without an id"}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "grpc-lb-jwks-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "jwks.json");
    const header = { alg: "ES256", ...(kid && { kid }) };
    const pairs = await Promise.all([1, 2, 3].map(() => generateKeyPair("ES256", { extractable: true })));
    const [first, second] = await Promise.all(pairs.map(({ publicKey }) => exportJWK(publicKey)));
    writeFileSync(file, JSON.stringify({ keys: [first, second].map((key) => ({ ...key, ...header })) }));
    const verify = createTokenVerifier({ ...options, jwks: { file } });
    const check = async (signer: number, claims: JWTPayload = {}) => {
      const { issuer: iss, audience: aud } = options;
      const token = new SignJWT({ iss, aud, sub: `of ${signer}`, exp: Math.floor(Date.now() / 1_000) + 60, ...claims });
      const privateKey = pairs[signer]?.privateKey as (typeof pairs)[number]["privateKey"];
      const found = await verify([`Bearer ${await token.setProtectedHeader(header).sign(privateKey)}`], "GET /");
      return "claims" in found ? found.claims.sub : found.refusal.details;
    };
    assert.deepEqual([await check(0), await check(1)], ["of 0", "of 1"]);
    assert.equal(await check(2), "the token's signature is wrong");
    assert.equal(await check(1, { aud: "other" }), "the token is for another audience");
  });
}

test("its options are checked", () => {
  for (const [wrong, message] of [
    [{ isPublic: () => true }, /createTokenVerifier.*isPublic/],
    [{ jwks: undefined }, /TypeError.*: jwks must be an object, got nothing/],
    [{ jwks: {} }, /RangeError.*: jwks must have either url or file/],
    [{ jwks: { url: "https://issuer.test/keys", file: "/none" } }, /RangeError.*: jwks must have either url or file/],
    [{ jwks: { file: "/none", fetch } }, /RangeError.*: jwks\.fetch has no effect with a file/],
    [{ jwks: { file: "" } }, /TypeError.*: jwks\.file must be a text that is not empty/],
    [{ jwks: { url: "keys" } }, /TypeError.*: jwks\.url must be a URL/],
    [{ jwks: { url: "https://issuer.test/keys", onproblem: () => {} } }, /unknown option jwks\.onproblem/],
    [
      { jwks: { url: "http://issuer.test/keys" } },
      /RangeError.*: jwks\.url must be an https URL; http is for this machine/,
    ],
    [
      { jwks: { url: "ftp://issuer.test/keys" } },
      /RangeError.*: jwks\.url must be an https URL; http is for this machine/,
    ],
    [{ issuer: "" }, /issuer must be a text that is not empty/],
    [{ audience: "" }, /audience must be a text that is not empty/],
    [{ audience: [] }, /audience must be .* a list of at least one/],
    [{ audience: ["server", ""] }, /audience must be .* a list of at least one/],
    [{ algorithms: ["ES256", "none"] }, /algorithms must be a list of RS256, /],
    [{ algorithms: ["HS256"] }, /algorithms must be a list of RS256, /],
    [{ leewaySeconds: Number.POSITIVE_INFINITY }, /leewaySeconds must be a number >= 0/],
  ] as const) {
    assert.throws(() => createTokenVerifier({ ...options, ...wrong } as never), message);
    if ("jwks" in wrong) assert.throws(() => createServerAuth({ ...options, ...wrong } as never), message);
  }
});
