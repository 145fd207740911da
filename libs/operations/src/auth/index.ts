/** Tokens of calls: a client's from a file, and their check by a server, over gRPC and HTTP. */
export { createHttpAuth } from "./http-auth.ts";
export { createJwksFetch, type JwksFetchOptions } from "./jwks-fetch.ts";
export { openServerAuth, type ServerAuth, type ServerAuthValues, serverAuthFlags } from "./server-auth.ts";
export { createTokenInterceptors, openTokenFile, tokenFlags } from "./token-file.ts";
