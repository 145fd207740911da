import type { Socket } from "node:net";
import type { Server as TlsServer } from "node:tls";
import { systemClock } from "@grpc-lb/core";
import { reportHandshakes } from "@grpc-lb/operations/tls";

/** What to do about TLS handshakes that do not succeed. */
export interface HandshakeOptions {
  /** How many may be in progress; beyond it the oldest is closed. */
  readonly max: number;
  /** Called with the reason of one that failed, and the address of the client; each reason once a minute. */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
}

/** The first line has the reason: clients show that. */
const plainAnswer = "HTTP/1.1 400 This port speaks TLS\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/**
 * Bounds the connections of a TLS server that have not ended their handshake, and answers a client that speaks HTTP without TLS,
 * which otherwise sees its connection end without a reason.
 */
export function limitHandshakes(server: TlsServer, { max, onRefused }: HandshakeOptions): void {
  /** By the address of the client, in the order of arrival. */
  const pending = new Map<string, Socket>();
  const peerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  server.on("connection", (socket: Socket) => {
    const [oldest] = pending;
    if (oldest && pending.size >= max) {
      pending.delete(oldest[0]); // now, as its close event comes later
      oldest[1].destroy();
    }
    const peer = peerOf(socket);
    pending.set(peer, socket);
    socket.once("close", () => {
      if (pending.get(peer) === socket) pending.delete(peer);
    });
  });
  server.on("secureConnection", (socket) => pending.delete(peerOf(socket)));
  server.on("tlsClientError", ({ code }: NodeJS.ErrnoException, socket) => {
    if (code === "ERR_SSL_HTTP_REQUEST") pending.get(peerOf(socket))?.end(plainAnswer);
  });
  if (onRefused) reportHandshakes(server, systemClock, onRefused);
}
