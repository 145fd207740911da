import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createTokenVerifier } from "./index.ts";

const options = { jwks: { file: "/none" }, issuer: "https://issuer.test", audience: "server" };

test("a server of another protocol gets the refusal as a value, also while the keys cannot be read", async () => {
  const verify = createTokenVerifier(options);
  const header = Buffer.from('{"alg":"ES256","kid":"one"}').toString("base64url");
  for (const [authorization, code, details] of [
    [[], status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [["Bearer a", "Bearer b"], status.UNAUTHENTICATED, "the call needs one header authorization: Bearer TOKEN"],
    [["Bearer text"], status.UNAUTHENTICATED, "the token is not a signed JWT"],
    [[`Bearer ${header}.e30.AA`], status.UNAVAILABLE, "the keys of the issuer cannot be read"],
  ] as const) {
    assert.deepEqual(await verify(authorization, "GET /"), { refusal: { code, details } });
  }
});

test("its options are checked", () => {
  assert.throws(
    () => createTokenVerifier({ ...options, isPublic: () => true } as never),
    /createTokenVerifier.*isPublic/,
  );
});
