import { describeHandshakeFailure, type TlsNames } from "@grpc-lb/core";

/** What configures a connection, as the user of its owner writes it. */
export interface ConnectionNames extends TlsNames {
  /** What switches TLS on. */
  readonly tls: string;
}

/** grpc-js says no more than this of a connection that ended, or was reset, before the server's first frame. */
const endedEarly = new Set(["Failed to connect", "read ECONNRESET"]);

/**
 * Explains why a connection could not be made, where that is a failed TLS handshake, by what configures it; other reasons are returned
 * as they are.
 *
 * @param reason as `plainReason` returns it
 * @param isTls whether the connection was one of TLS
 */
export function explainConnectFailure(reason: string, names: ConnectionNames, isTls: boolean): string {
  if (!endedEarly.has(reason)) return describeHandshakeFailure(reason, names) ?? reason;
  const why = isTls
    ? `it may refuse the client's certificate: ${names.clientCertificate}`
    : `it may speak TLS: ${names.tls}; or refuse connections`;
  return `the server closes the connection before it speaks HTTP/2: ${why}`;
}
