import { messageOf } from "@grpc-lb/core";
import { DiscoveryError, type DiscoveryErrorCode } from "../core/discovery-error.ts";
import { ContentError } from "./content-error.ts";

const reasons: Readonly<Record<string, readonly [DiscoveryErrorCode, string]>> = {
  ENOENT: ["notFound", "no such file"],
  ENOTDIR: ["notFound", "no such file"],
  EISDIR: ["invalid", "not a regular file"],
  ELOOP: ["invalid", "its symbolic links form a loop"],
  EACCES: ["permissionDenied", "permission denied"],
  EPERM: ["permissionDenied", "permission denied"],
};

/** Turns a failure to read or parse a file into an error that names the file, the line and the reason. */
export function toDiscoveryError(path: string, cause: unknown): DiscoveryError {
  if (cause instanceof ContentError) {
    const where = cause.line === undefined ? path : `${path}:${cause.line}`;
    return new DiscoveryError("invalid", `file: ${where}: ${cause.message}`, { cause });
  }
  const { code = "" } = cause as NodeJS.ErrnoException;
  const [kind, reason] = reasons[code] ?? (["unavailable", messageOf(cause)] as const);
  return new DiscoveryError(kind, `file: read ${path}: ${reason}`, { cause });
}
