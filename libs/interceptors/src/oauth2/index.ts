/**
 * Tokens from an authorization server, with openid-client.
 *
 * ```ts
 * import { createClientAuth, tokenFromFile } from "@grpc-lb/interceptors";
 * import { tokenFromClientCredentials } from "@grpc-lb/interceptors/oauth2";
 *
 * const clientSecret = tokenFromFile("/etc/client/secret");
 * const token = tokenFromClientCredentials({ issuer: "https://login.example.com", clientId: "client", clientSecret });
 * const interceptors = [createClientAuth({ token })];
 * ```
 */
export { type ClientCredentialsOptions, tokenFromClientCredentials } from "./client-credentials.ts";
