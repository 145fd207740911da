/** Tokens of calls: a client's from a file, and their check by a server. */
export { createTokenInterceptors, openTokenFile, tokenFlags } from "./token-file.ts";
