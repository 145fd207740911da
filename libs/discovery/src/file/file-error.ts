import { DiscoveryError, type DiscoveryErrorCode } from "../core/discovery-error.ts";
import { ContentError } from "./parse-content.ts";

const reasons: Readonly<Record<string, readonly [DiscoveryErrorCode, string]>> = {
  ENOENT: ["notFound", "there is no such file"],
  ENOTDIR: ["notFound", "there is no such file"],
  EISDIR: ["invalid", "it is no regular file"],
  ELOOP: ["invalid", "its symbolic links go round in circles"],
  EACCES: ["permissionDenied", "permission denied"],
  EPERM: ["permissionDenied", "permission denied"],
};

/** Says which file, which line, and what is wrong. */
export function describeFailure(path: string, cause: unknown): DiscoveryError {
  if (cause instanceof ContentError) {
    const where = cause.line === undefined ? path : `${path}:${cause.line}`;
    return new DiscoveryError("invalid", `file: ${where}: ${cause.message}`, { cause });
  }
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const [kind, reason] = reasons[code] ?? (["unavailable", message] as const);
  return new DiscoveryError(kind, `file: read ${path}: ${reason}`, { cause });
}
