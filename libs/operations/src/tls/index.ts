/**
 * TLS from files that are read again: for servers of grpc-js and Node, and for channels of grpc-js.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { systemClock } from "@grpc-lb/core";
 * import { createServerCredentials, ReloadingCredentials } from "@grpc-lb/operations/tls";
 *
 * const files = { cert: "/etc/tls/tls.crt", key: "/etc/tls/tls.key" };
 * const credentials = await ReloadingCredentials.open(files, { clock: systemClock });
 * new Server().bindAsync("0.0.0.0:30051", createServerCredentials(credentials), () => {});
 * ```
 */
export { createChannelCredentials } from "./channel-credentials.ts";
export { CredentialError, type CredentialFiles, type Credentials, readCredentials } from "./credentials.ts";
export { clientTlsFlags, openClientTls, openServerTls, serverTlsFlags } from "./flags.ts";
export { describeHandshakeFailure } from "./handshake-failure.ts";
export { reportHandshakes } from "./handshake-log.ts";
export { ReloadingCredentials, type ReloadOptions } from "./reloading-credentials.ts";
export { createServerCredentials, keepCurrent, tlsServerOptions } from "./server-credentials.ts";
