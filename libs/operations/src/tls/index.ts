/**
 * TLS from files that are read again, for servers and clients. `@grpc-lb/operations/tls/grpc` has it for grpc-js.
 *
 * ```ts
 * import { createServer } from "node:https";
 * import { systemClock } from "@grpc-lb/core";
 * import { keepCurrent, ReloadingCredentials, tlsServerOptions } from "@grpc-lb/operations/tls";
 *
 * const files = { cert: "/etc/tls/tls.crt", key: "/etc/tls/tls.key" };
 * const credentials = await ReloadingCredentials.open(files, { clock: systemClock });
 * const server = createServer(tlsServerOptions(credentials));
 * keepCurrent(server, credentials);
 * ```
 */
export { CredentialError, type CredentialFiles, type Credentials, readCredentials } from "./credentials.ts";
export { clientTlsFlags, openClientTls, openServerTls, serverNameFlag, serverTlsFlags } from "./flags.ts";
export { describeHandshakeFailure } from "./handshake-failure.ts";
export { reportHandshakes } from "./handshake-log.ts";
export { ReloadingCredentials, type ReloadOptions } from "./reloading-credentials.ts";
export { keepCurrent, tlsContextOptions, tlsServerOptions } from "./server-options.ts";
