import type { Metadata, ServerInterceptor } from "@grpc/grpc-js";
import { type Clock, checkOptions, type OptionRules, systemClock } from "@grpc-lb/core";
import { jwtVerify } from "jose";
import { isInfrastructure } from "../call/infrastructure.ts";
import { type ServerStatus, WatchedServerCall } from "../call/server-call.ts";
import type { Claims } from "./claims.ts";
import type { KeySource } from "./key-source.ts";
import { createKeys } from "./keys.ts";
import { denied, describeRefusal, unauthenticated } from "./refusal.ts";

/** Which tokens a server accepts. */
export interface ServerAuthOptions {
  /** The issuer's keys. A rotation needs no restart. */
  readonly jwks: KeySource;
  /** The claim `iss`. */
  readonly issuer: string;
  /** The claim `aud` must contain it, or one of them. */
  readonly audience: string | readonly string[];
  /** How far the clocks of issuer and server may differ, in seconds. Default: 30. */
  readonly leewaySeconds?: number | undefined;
  /** The algorithms of signatures. Default: RS, PS and ES with 256, 384 and 512 bits, and EdDSA; never `none` or a shared secret. */
  readonly algorithms?: readonly string[] | undefined;
  /** The scopes that a method needs, all of them, in the claim `scope` or `scp`. Default: none. */
  readonly scopes?: ((method: string) => readonly string[]) | undefined;
  /** Decides by the claims; returns the reason to deny the call, or undefined. The client gets the reason. Default: none is denied. */
  readonly authorize?: ((claims: Claims, method: string) => string | undefined) | undefined;
  /** Which methods need no token. Default: health checks and reflection. */
  readonly isPublic?: ((method: string) => boolean) | undefined;
}

const rules: OptionRules = {
  jwks: (value) => {
    const { url, file } = (value ?? {}) as { readonly url?: unknown; readonly file?: unknown };
    const isSource = typeof file === "string" || (typeof url === "string" && URL.canParse(url));
    return isSource ? undefined : "must be { url } or { file }";
  },
  issuer: "string",
  audience: ["string", "strings"],
  leewaySeconds: (value) => (typeof value === "number" && value >= 0 ? undefined : "must be a number >= 0"),
  algorithms: "strings",
  scopes: "function",
  authorize: "function",
  isPublic: "function",
};

const asymmetric = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

const verified = new WeakMap<Metadata, Claims>();

/**
 * The claims of the token that a call came with, for its handler: `claimsOf(call.metadata)`. Undefined for a method that needs no token.
 */
export const claimsOf = (metadata: Metadata): Claims | undefined => verified.get(metadata);

/**
 * Creates a server interceptor that accepts calls with a JWT of an issuer, in the header `authorization: Bearer …`: signature, issuer,
 * audience and times are checked, with jose. Others end before their handler: UNAUTHENTICATED without a valid token, PERMISSION_DENIED
 * without a scope or by `authorize`, UNAVAILABLE while the keys cannot be read; each with a reason that repeats nothing of the token.
 * The handler does not see the header; it has the claims (`claimsOf`).
 *
 * @throws TypeError for options of another type or name
 */
export function createServerAuth(options: ServerAuthOptions): ServerInterceptor {
  checkOptions("createServerAuth", options, rules, ["jwks", "issuer", "audience"]);
  return createServerAuthIn(options, systemClock);
}

/** The same with any clock, which times how long keys are used. */
export function createServerAuthIn(options: ServerAuthOptions, clock: Clock): ServerInterceptor {
  const { issuer, audience, leewaySeconds = 30, algorithms = asymmetric, isPublic = isInfrastructure } = options;
  const keys = createKeys(options.jwks, clock);
  const expected = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    clockTolerance: leewaySeconds,
    algorithms: [...algorithms],
    requiredClaims: ["exp"],
  };
  const check = async (metadata: Metadata, method: string): Promise<ServerStatus | undefined> => {
    const token = readBearer(metadata);
    if (token === undefined) return unauthenticated("the call needs one header authorization: Bearer TOKEN");
    let claims: Claims;
    try {
      claims = (await jwtVerify(token, keys, expected)).payload;
    } catch (error) {
      return describeRefusal(error);
    }
    const refusal = decide(options, claims, method);
    if (refusal) return refusal;
    verified.set(metadata, claims);
    metadata.remove("authorization");
    return undefined;
  };
  return ({ path }, call) =>
    new WatchedServerCall(call, { onStart: (metadata) => (isPublic(path) ? undefined : check(metadata, path)) });
}

function readBearer(metadata: Metadata): string | undefined {
  const [value, ...others] = metadata.get("authorization");
  if (typeof value !== "string" || others.length > 0) return undefined;
  return /^Bearer +([\x21-\x7e]+)$/i.exec(value)?.[1];
}

function decide({ scopes, authorize }: ServerAuthOptions, claims: Claims, method: string): ServerStatus | undefined {
  try {
    const missing = (scopes?.(method) ?? []).find((scope) => !scopesOf(claims).includes(scope));
    if (missing !== undefined) return denied(`the token lacks the scope ${missing}`);
    const reason = authorize?.(claims, method);
    return reason === undefined ? undefined : denied(reason);
  } catch {
    return denied("the server could not decide"); // what it throws may contain claims
  }
}

function scopesOf({ scope, scp }: Claims): readonly unknown[] {
  return [scope, scp].flatMap((value) =>
    typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [],
  );
}
