import { messageOf } from "@grpc-lb/core";
import { XdsError } from "@grpc-lb/xds/client";
import { DiscoveryError } from "../core/discovery-error.ts";

/** The error for outside; `what` is the operation: `watch server`. */
export function describeFailure(what: string, cause: unknown): DiscoveryError {
  const code = cause instanceof XdsError ? cause.code : "unavailable";
  return new DiscoveryError(code, `xds: ${what}: ${messageOf(cause)}`, { cause });
}
