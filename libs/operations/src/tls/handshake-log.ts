import type { Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { type Clock, messageOf } from "@grpc-lb/core";
import { limitReports, type OnRefused } from "../logs/limit-reports.ts";

/** Codes of connections that end before they have sent anything, as port checks and load balancers do. */
const silent = new Set(["ECONNRESET", "EPIPE", "ERR_TLS_HANDSHAKE_TIMEOUT"]);

const reasons: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "the client speaks HTTP without TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "the client does not speak TLS",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "the client has no certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "the client speaks no TLS of version 1.2 or newer",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "the client does not know the authority of this server",
};

const ofCertificate: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  INVALID_PURPOSE: "is not for clients",
};

/**
 * Reports why handshakes of clients fail, each reason at most once a minute, with the address of the client. Servers with the same callback
 * share that limit.
 *
 * @param onRefused gets the reason and the address
 */
export function reportHandshakes(server: TlsServer, clock: Clock, onRefused: OnRefused): void {
  const report = limitReports(clock, onRefused);
  const peers = new WeakMap<Socket, string>();
  server.on("connection", (socket: Socket) => {
    if (socket.remoteAddress !== undefined) peers.set(socket, socket.remoteAddress);
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const reason = reasonOf(error, socket);
    // Node destroys the socket of a client whose certificate it refuses first, and then it has no address.
    const { _parent: connection } = socket as TlsInternals;
    if (reason !== undefined) report(reason, socket.remoteAddress ?? (connection && peers.get(connection)));
  });
}

/** A private member of Node 20 to 24: the connection below TLS. */
interface TlsInternals {
  readonly _parent?: Socket;
}

function reasonOf(error: NodeJS.ErrnoException & { reason?: string }, socket: TLSSocket): string | undefined {
  // The types say Error, but it is an error's code: https://nodejs.org/api/tls.html#tlssocketauthorizationerror
  const refused = socket.authorizationError as unknown as string | null;
  if (refused)
    return `the client's certificate ${ofCertificate[refused] ?? "is not from an authority of --tls-client-ca"}`;
  const { code = "" } = error;
  if (silent.has(code)) return undefined;
  return reasons[code] ?? error.reason ?? messageOf(error);
}
