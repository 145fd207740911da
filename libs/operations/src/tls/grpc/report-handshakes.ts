import { Server as TlsServer } from "node:tls";
import type { Server } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import { reportHandshakes } from "../handshake-log.ts";
import { http2ServersOf } from "./http2-servers.ts";

/**
 * As `reportHandshakes`, for a server of grpc-js. Must be called when it is bound, in the same turn; without TLS it does nothing.
 *
 * @param onRefused gets the reason and the address
 */
export function reportGrpcHandshakes(
  server: Server,
  clock: Clock,
  onRefused: (reason: string, peer: string) => void,
): void {
  for (const each of http2ServersOf(server)) if (each instanceof TlsServer) reportHandshakes(each, clock, onRefused);
}
