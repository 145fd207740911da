import { type Clock, checkOptions, type OptionRules, systemClock } from "@grpc-lb/core";
import { errors, type JWTVerifyOptions, jwtVerify } from "jose";
import { guardCallback } from "../call/guard-callback.ts";
import type { Claims } from "./claims.ts";
import { checkKeySource, type KeySource, keySourceRules } from "./key-source.ts";
import { createKeys } from "./keys.ts";
import { denied, describeRefusal, type Refusal, unauthenticated } from "./refusal.ts";

/** Which tokens are accepted. */
export interface TokenOptions {
  /** The issuer's keys. A rotation needs no restart. */
  readonly jwks: KeySource;
  /** The claim `iss`. */
  readonly issuer: string;
  /** The claim `aud` must contain it, or one of them. */
  readonly audience: string | readonly string[];
  /** How far the clocks of issuer and server may differ, in seconds. Default: 30. */
  readonly leewaySeconds?: number | undefined;
  /**
   * The algorithms of signatures: some of the default's, never `none` or a shared secret. Default: RS, PS and ES with 256, 384 and 512
   * bits, and EdDSA.
   */
  readonly algorithms?: readonly string[] | undefined;
  /** The scopes that a method needs, all of them, in the claim `scope` or `scp`; if it throws, the call is denied. Default: none. */
  readonly scopes?: ((method: string) => readonly string[]) | undefined;
  /**
   * Decides by the claims; returns the reason to deny the call, or undefined. The client gets the reason. If it throws, the call is
   * denied. Default: none is denied.
   */
  readonly authorize?: ((claims: Claims, method: string) => string | undefined) | undefined;
}

/** What a check has found: the claims of a valid token, or why the call is refused. */
export type Verification = { readonly claims: Claims } | { readonly refusal: Refusal };

/**
 * Checks the token of a call.
 *
 * @param authorization the values of its header `authorization`; there must be one
 * @param method what is called, for `scopes` and `authorize`
 */
export type TokenVerifier = (authorization: readonly unknown[], method: string) => Promise<Verification>;

const asymmetric: readonly string[] = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isListOf = (isOne: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(isOne);
const isTexts = isListOf(isText);
const isAlgorithms = isListOf((value) => asymmetric.includes(String(value)));

const tokenRules: OptionRules = {
  jwks: { options: keySourceRules },
  issuer: (value) => (isText(value) ? undefined : "must be a text that is not empty"),
  audience: (value) =>
    isText(value) || isTexts(value) ? undefined : "must be a text that is not empty, or a list of at least one",
  leewaySeconds: (value) =>
    typeof value === "number" && value >= 0 && Number.isFinite(value) ? undefined : "must be a number >= 0",
  algorithms: (value) => (isAlgorithms(value) ? undefined : `must be a list of ${asymmetric.join(", ")}`),
  scopes: "function",
  authorize: "function",
};

/** @param more the rules of options that are not for tokens */
export function checkTokenOptions(where: string, options: TokenOptions, more: OptionRules = {}): void {
  checkOptions(where, options, { ...tokenRules, ...more }, ["jwks", "issuer", "audience"]);
  checkKeySource(where, options.jwks);
}

/**
 * Creates a check of tokens for servers of another protocol than gRPC, by the same rules as `createServerAuth`. Never rejects.
 *
 * @throws TypeError for options of another type or name, RangeError for keys from a URL or a file that cannot be used
 */
export function createTokenVerifier(options: TokenOptions): TokenVerifier {
  checkTokenOptions("createTokenVerifier", options);
  return createTokenVerifierIn(options, systemClock);
}

/** The same with any clock, which times how long keys are used. */
export function createTokenVerifierIn(options: TokenOptions, clock: Clock): TokenVerifier {
  const { issuer, audience, leewaySeconds = 30, algorithms = asymmetric } = options;
  const keys = createKeys(options.jwks, clock);
  const decide = createDecision(options);
  const expected = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    clockTolerance: leewaySeconds,
    algorithms: [...algorithms],
    requiredClaims: ["exp"],
  };
  const check = async (token: string): Promise<Claims> => {
    try {
      return (await jwtVerify(token, keys.find, expected)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return checkWithEach(token, error, expected);
    }
  };
  const checkWithNewKeys = async (token: string): Promise<Claims> => {
    const { version } = keys;
    try {
      return await check(token);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed) || !(await keys.renew(version))) throw error;
      return check(token);
    }
  };
  return async (authorization, method) => {
    const token = readBearer(authorization);
    if (token === undefined) {
      return { refusal: unauthenticated("the call needs one header authorization: Bearer TOKEN") };
    }
    let claims: Claims;
    try {
      claims = await checkWithNewKeys(token);
    } catch (error) {
      return { refusal: describeRefusal(error) };
    }
    const refusal = decide(claims, method);
    return refusal ? { refusal } : { claims };
  };
}

/** Checks a token that does not say which of an issuer's keys has signed it, as while its keys rotate. */
async function checkWithEach(
  token: string,
  keys: InstanceType<typeof errors.JWKSMultipleMatchingKeys>,
  expected: JWTVerifyOptions,
): Promise<Claims> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, expected)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function readBearer(values: readonly unknown[]): string | undefined {
  if (!Array.isArray(values)) return undefined; // as undefined, which JavaScript may pass for no header
  const [value, ...others] = values;
  if (typeof value !== "string" || others.length > 0) return undefined;
  return /^Bearer +([\x21-\x7e]+)$/i.exec(value)?.[1];
}

/** Decides by the callbacks of the options. What they throw is not shown, because it may contain claims. */
function createDecision({ scopes = () => [], authorize = () => undefined }: TokenOptions) {
  const fail = (): never => {
    throw new Error("no decision");
  };
  const scopesFor = guardCallback(scopes, fail);
  const reasonFor = guardCallback(authorize, fail);
  return (claims: Claims, method: string): Refusal | undefined => {
    try {
      const missing = (scopesFor(method) ?? []).find((scope) => !scopesOf(claims).includes(scope));
      if (missing !== undefined) return denied(`the token lacks the scope ${missing}`);
      const reason = reasonFor(claims, method);
      return reason === undefined ? undefined : denied(reason);
    } catch {
      return denied("the server could not decide");
    }
  };
}

function scopesOf({ scope, scp }: Claims): readonly unknown[] {
  return [scope, scp].flatMap((value) =>
    typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [],
  );
}
