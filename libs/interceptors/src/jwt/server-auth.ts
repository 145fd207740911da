import type { Metadata, ServerInterceptor } from "@grpc/grpc-js";
import { type Clock, systemClock } from "@grpc-lb/core";
import { guardCallback, ignore } from "../call/guard-callback.ts";
import { isInfrastructure } from "../call/infrastructure.ts";
import { type ServerStatus, WatchedServerCall } from "../call/server-call.ts";
import type { Claims } from "./claims.ts";
import { checkTokenOptions, createTokenVerifierIn, type TokenOptions } from "./token-verifier.ts";

/** Which tokens a server accepts, and for which methods. */
export interface ServerAuthOptions extends TokenOptions {
  /** Which methods need no token; if it throws, the method needs one. Default: health checks and reflection. */
  readonly isPublic?: ((method: string) => boolean) | undefined;
  /** Called for each call that is refused, with the reason that its client gets and the client's address. Default: nobody is told. */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
}

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
 * @throws TypeError for options of another type or name, RangeError for keys from a URL or a file that cannot be used
 */
export function createServerAuth(options: ServerAuthOptions): ServerInterceptor {
  checkTokenOptions("createServerAuth", options, { isPublic: "function", onRefused: "function" });
  return createServerAuthIn(options, systemClock);
}

/** The same with any clock, which times how long keys are used. */
export function createServerAuthIn(options: ServerAuthOptions, clock: Clock): ServerInterceptor {
  const { isPublic: decide = isInfrastructure, onRefused = ignore, ...tokens } = options;
  const isPublic = guardCallback(decide, () => false);
  const report = guardCallback(onRefused, ignore);
  const verify = createTokenVerifierIn(tokens, clock);
  const check = async (metadata: Metadata, method: string, peer: string): Promise<ServerStatus | undefined> => {
    const verification = await verify(metadata.get("authorization"), method);
    if ("refusal" in verification) {
      report(verification.refusal.details, peer);
      return verification.refusal;
    }
    verified.set(metadata, verification.claims);
    metadata.remove("authorization");
    return undefined;
  };
  return (method, call) =>
    new WatchedServerCall(method, call, {
      onStart: (metadata) => (isPublic(method.path) ? undefined : check(metadata, method.path, call.getPeer())),
    });
}
