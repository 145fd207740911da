/**
 * Calls with a JWT, checked with jose.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { createServerAuth } from "@grpc-lb/interceptors/jwt";
 *
 * const auth = createServerAuth({
 *   jwks: { url: "https://login.example.com/keys" },
 *   issuer: "https://login.example.com",
 *   audience: "server",
 * });
 * const server = new Server({ interceptors: [auth] });
 * ```
 */
export type { Claims } from "./claims.ts";
export type { KeySource } from "./key-source.ts";
export type { Refusal } from "./refusal.ts";
export { claimsOf, createServerAuth, type ServerAuthOptions } from "./server-auth.ts";
export { createTokenVerifier, type TokenOptions, type TokenVerifier, type Verification } from "./token-verifier.ts";
