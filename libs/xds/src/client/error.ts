import { status } from "@grpc/grpc-js";
import { messageOf, printableLine } from "@grpc-lb/core";
import { plainReason, RpcStatus } from "../channel/index.ts";

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

/**
 * The error for outside.
 *
 * @param where the control plane: `host:18000`
 * @param secrets what the message must not repeat
 */
export function describeFailure(where: string, cause: unknown, secrets: readonly string[]): XdsError {
  if (cause instanceof XdsError) return cause;
  const reason = printableLine(plainReason(messageOf(cause), secrets), maxReasonLength);
  const code = cause instanceof RpcStatus ? cause.code : status.UNKNOWN;
  const isDenied = code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED;
  // The text of the cause may have the secret, so it is not handed on.
  return new XdsError(isDenied ? "permissionDenied" : "unavailable", `control plane ${where}: ${reason}`, {
    cause: new RpcStatus(code, reason),
  });
}
