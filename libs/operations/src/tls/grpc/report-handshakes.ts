import type { Http2Server, ServerHttp2Session } from "node:http2";
import { Server as TlsServer } from "node:tls";
import type { Server } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import { limitReports, type OnRefused } from "../../logs/limit-reports.ts";
import { reportHandshakes } from "../handshake-log.ts";
import { http2ServersOf } from "./http2-servers.ts";

/** nghttp2's NGHTTP2_ERR_BAD_CLIENT_MAGIC, for a client whose first bytes are not HTTP/2. */
const badClientMagic = -903;

/**
 * As `reportHandshakes`, for a server of grpc-js. Without TLS it reports clients that do not speak HTTP/2, which may be because they
 * speak TLS. Must be called when the server is bound, in the same turn.
 *
 * @param onRefused gets the reason and the address
 */
export function reportGrpcHandshakes(server: Server, clock: Clock, onRefused: OnRefused): void {
  for (const each of http2ServersOf(server)) {
    if (each instanceof TlsServer) reportHandshakes(each, clock, onRefused);
    else reportMagic(each as Http2Server, limitReports(clock, onRefused));
  }
}

function reportMagic(server: Http2Server, report: (reason: string, peer: string | undefined) => void): void {
  server.on("session", (session: ServerHttp2Session) => {
    const peer = session.socket.remoteAddress; // afterwards there is none
    session.on("error", ({ errno }: NodeJS.ErrnoException) => {
      if (errno === badClientMagic) report("the client does not speak HTTP/2; it may speak TLS", peer);
    });
  });
}
