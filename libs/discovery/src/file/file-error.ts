import { DiscoveryError, type DiscoveryErrorCode } from "../core/discovery-error.ts";
import { ContentError } from "./parse-content.ts";

const reasons: Readonly<Record<string, readonly [DiscoveryErrorCode, string]>> = {
  ENOENT: ["target", "there is no such file"],
  ENOTDIR: ["target", "there is no such file"],
  EISDIR: ["target", "it is no regular file"],
  ELOOP: ["target", "its symbolic links go round in circles"],
  EACCES: ["denied", "permission denied"],
  EPERM: ["denied", "permission denied"],
};

/** Says which file, which line, and what is wrong. */
export function describeFailure(path: string, cause: unknown): DiscoveryError {
  if (cause instanceof ContentError) {
    const where = cause.line === undefined ? path : `${path}:${cause.line}`;
    return new DiscoveryError("target", `file: ${where}: ${cause.message}`, { cause });
  }
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const [kind, reason] = reasons[code] ?? (["unavailable", message] as const);
  return new DiscoveryError(kind, `file: read ${path}: ${reason}`, { cause });
}
