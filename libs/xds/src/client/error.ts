import { status } from "@grpc/grpc-js";
import { messageOf, printableLine } from "@grpc-lb/core";
import { type ConnectionNames, explainConnectFailure, plainReason, RpcStatus } from "../channel/index.ts";

/**
 * Why a client cannot have what it watches.
 *
 * - `unavailable`: the control plane cannot be reached, or fails.
 * - `permissionDenied`: it refuses the client, or a file of the credentials cannot be read.
 * - `invalid`: it sent a resource that cannot be used.
 */
export type XdsErrorCode = "unavailable" | "permissionDenied" | "invalid";

/** The error of a control plane; its message is one line, names the control plane, and contains no secret. */
export class XdsError extends Error {
  override readonly name = "XdsError";
  readonly code: XdsErrorCode;

  constructor(code: XdsErrorCode, message: string, options?: ErrorOptions) {
    super(printableLine(message), options);
    this.code = code;
  }
}

/** A peer's text is cut here, in characters. */
export const maxReasonLength = 500;

/** What configures the connection: the fields of the bootstrap's `channel_creds`, and `XdsTls`. */
const names: ConnectionNames = {
  tls: 'channel_creds of type "tls" in the bootstrap, GRPC_XDS_BOOTSTRAP (credentials.tls)',
  authority: "ca_certificate_file in the bootstrap (tls.caFile)",
  clientCertificate: "certificate_file and private_key_file in the bootstrap (tls.certFile, tls.keyFile)",
  otherName: "use one of its names as the host of the target (tls.serverName)",
  insecure: 'channel_creds of type "insecure" in the bootstrap connect without it',
};

/** What an error is made of. */
export interface Failure {
  /** The control plane: `host:18000`. */
  readonly where: string;
  /** Whether the connection was one of TLS. */
  readonly isTls: boolean;
  /** What the message must not repeat. */
  readonly secrets: readonly string[];
}

/** The error for outside. A failed handshake is explained by what configures it. */
export function describeFailure(cause: unknown, { where, isTls, secrets }: Failure): XdsError {
  if (cause instanceof XdsError) return cause;
  const plain = plainReason(messageOf(cause), secrets);
  const reason = printableLine(explainConnectFailure(plain, names, isTls), maxReasonLength);
  const code = cause instanceof RpcStatus ? cause.code : status.UNKNOWN;
  const isDenied = code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED;
  // The text of the cause may have the secret, so it is not handed on.
  return new XdsError(isDenied ? "permissionDenied" : "unavailable", `control plane ${where}: ${reason}`, {
    cause: new RpcStatus(code, reason),
  });
}
