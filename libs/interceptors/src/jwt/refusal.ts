import { status } from "@grpc/grpc-js";
import { errors } from "jose";

/** Why a call is refused. It repeats nothing of the token. */
export interface Refusal {
  /** UNAUTHENTICATED, PERMISSION_DENIED, or UNAVAILABLE while the keys cannot be read. */
  readonly code: status;
  /** For the client. */
  readonly details: string;
}

export const unauthenticated = (reason: string): Refusal => ({ code: status.UNAUTHENTICATED, details: reason });

export const denied = (reason: string): Refusal => ({ code: status.PERMISSION_DENIED, details: reason });

const claims: Readonly<Record<string, string>> = {
  iss: "the token is of another issuer",
  aud: "the token is for another audience",
  nbf: "the token is not valid yet",
  iat: "the token is from the future",
  exp: "the token does not expire",
};

/** Says why a token was refused. Neither the token nor anything in it is repeated. */
export function describeRefusal(error: unknown): Refusal {
  if (error instanceof errors.JWTExpired) return unauthenticated("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(claims[error.claim] ?? "the token has a claim that is not valid");
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return unauthenticated("the token is signed with a key that the issuer does not have");
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return unauthenticated("the token's signature is wrong");
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return unauthenticated("the token's algorithm is not allowed");
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return unauthenticated("the token is not a signed JWT");
  }
  return { code: status.UNAVAILABLE, details: "the keys of the issuer cannot be read" };
}
