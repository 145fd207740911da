import { status } from "@grpc/grpc-js";
import { messageOf } from "@grpc-lb/core";
import { type ConnectionNames, explainConnectFailure, plainReason, RpcStatus } from "@grpc-lb/xds/channel";
import { DiscoveryError, type DiscoveryErrorCode, printable } from "../core/discovery-error.ts";

/** etcd's own words for a token that a new login replaces (api/v3rpc/rpctypes/error.go). */
const staleToken = /invalid auth token|revision of auth store is old/;
/** What etcd calls an invalid argument, and is a refusal. */
const refusal = /authentication failed|user name is empty|permission denied|invalid auth token/;
/** A server's text is cut here, in characters. */
const maxDetails = 500;

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

/** What configures the connection: the variables of etcdctl, and `EtcdTls`. */
const names: ConnectionNames = {
  tls: "ETCDCTL_CACERT, or ETCDCTL_INSECURE_TRANSPORT=false (credentials.tls)",
  insecure: "without ETCDCTL_CACERT, ETCDCTL_CERT and credentials.tls there is none",
  authority: "ETCDCTL_CACERT (tls.caFile)",
  clientCertificate: "ETCDCTL_CERT and ETCDCTL_KEY (tls.certFile, tls.keyFile)",
  otherName: "use one of its names as the host of the endpoint (tls.serverName)",
};

/** What a failed call was for. */
export interface FailedCall {
  /** What was done, to what, on which cluster: `list server/ on h1:2379,h2:2379`. */
  readonly what: string;
  /** The user that was refused, where there is one. */
  readonly user?: string | undefined;
  /** What the message must not repeat, in case the server does: a password, a token. */
  readonly secrets?: readonly string[];
  /** Whether it was made by TLS. Default: false. */
  readonly isTls?: boolean;
}

/** The error for outside. */
export function describeFailure(
  { what, user, secrets = [], isTls = false }: FailedCall,
  cause: unknown,
): DiscoveryError {
  if (cause instanceof DiscoveryError) return cause;
  const asUser = user === undefined ? "" : ` as user ${user}`;
  const reason = printable(explainConnectFailure(plainReason(messageOf(cause), secrets), names, isTls), maxDetails);
  // grpc-js has the whole text in the error that it throws, which is not handed on.
  const own = cause instanceof RpcStatus ? new RpcStatus(cause.code, reason) : cause;
  return new DiscoveryError(codeOf(cause), `etcd: ${printable(what, maxDetails)}${asUser}: ${reason}`, { cause: own });
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
