import { status } from "@grpc/grpc-js";
import { DiscoveryError, type DiscoveryErrorCode } from "../core/discovery-error.ts";
import { RpcStatus } from "./rpc-status.ts";

/** etcd's own words for a token that a new login replaces (api/v3rpc/rpctypes/error.go). */
const staleToken = /invalid auth token|revision of auth store is old/;
/** What etcd calls an invalid argument, and is a refusal. */
const refusal = /authentication failed|user name is empty|permission denied|invalid auth token/;
/** What grpc-js wraps around the reason why it could not connect, a time included that makes each failure another. */
const wrapped =
  /^No connection established\. Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*Z\))?\. Resolution note: .*$/s;

/** Whether a new login may be enough. */
export function isTokenStale(cause: unknown): boolean {
  return cause instanceof RpcStatus && (cause.code === status.UNAUTHENTICATED || staleToken.test(cause.message));
}

/** Whether etcd has no users at all: then it wants no login either. */
export function isAuthDisabled(cause: unknown): boolean {
  return cause instanceof RpcStatus && cause.code === status.FAILED_PRECONDITION && /not enabled/.test(cause.message);
}

/** Whether etcd does not know the lease. */
export function isLeaseGone(cause: unknown): boolean {
  return statusOf(cause)?.code === status.NOT_FOUND;
}

/** Why etcd ended a watch by itself, as if it were the status of a call. */
export function describeCancel(reason: string): RpcStatus {
  if (staleToken.test(reason)) return new RpcStatus(status.UNAUTHENTICATED, reason);
  if (refusal.test(reason)) return new RpcStatus(status.PERMISSION_DENIED, reason);
  return new RpcStatus(status.UNAVAILABLE, reason || "etcd ended the watch");
}

/**
 * The error that is told outside.
 *
 * @param what what was done, to what, on which cluster: `list server/ on h1:2379,h2:2379`
 * @param user who was refused, where a user was named
 */
export function describeFailure(what: string, user: string | undefined, cause: unknown): DiscoveryError {
  if (cause instanceof DiscoveryError) return cause;
  const asUser = user === undefined ? "" : ` as user ${user}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  // The members of a cluster are tried in turn: without its address the same failure of each reads the same.
  const told = reason.replace(wrapped, "$1").replace(/ (?:\[[^\]]*\]|[^\s:]+|[0-9a-f:]+):\d+$/, "");
  return new DiscoveryError(codeOf(cause), `etcd: ${what}${asUser}: ${told}`, { cause });
}

function codeOf(cause: unknown): DiscoveryErrorCode {
  const known = statusOf(cause);
  if (known?.code === status.PERMISSION_DENIED || known?.code === status.UNAUTHENTICATED) return "permissionDenied";
  return known?.code === status.INVALID_ARGUMENT && refusal.test(known.message) ? "permissionDenied" : "unavailable";
}

function statusOf(error: unknown): RpcStatus | undefined {
  if (error instanceof DiscoveryError) return statusOf(error.cause);
  return error instanceof RpcStatus ? error : undefined;
}
