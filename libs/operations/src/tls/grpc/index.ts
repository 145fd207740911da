/**
 * Credentials of grpc-js servers and channels that follow files.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { systemClock } from "@grpc-lb/core";
 * import { ReloadingCredentials } from "@grpc-lb/operations/tls";
 * import { createServerCredentials } from "@grpc-lb/operations/tls/grpc";
 *
 * const files = { cert: "/etc/tls/tls.crt", key: "/etc/tls/tls.key" };
 * const credentials = await ReloadingCredentials.open(files, { clock: systemClock });
 * new Server().bindAsync("0.0.0.0:30051", createServerCredentials(credentials), () => {});
 * ```
 */
export { bindServer, type ServerAddress } from "./bind-server.ts";
export { createChannelCredentials } from "./channel-credentials.ts";
export { http2ServersOf } from "./http2-servers.ts";
export { reportGrpcHandshakes } from "./report-handshakes.ts";
export { createServerCredentials } from "./server-credentials.ts";
