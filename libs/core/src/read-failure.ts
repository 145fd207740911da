import { messageOf } from "./message-of.ts";

/** A file that was opened and cannot be used. Its message names the file. */
export class FileError extends Error {
  override readonly name = "FileError";
  /** The message without the name: "it is larger than 10 bytes". */
  readonly reason: string;

  /** @param predicate "is larger than 10 bytes" */
  constructor(path: string, predicate: string) {
    super(`${path} ${predicate}`);
    this.reason = `it ${predicate}`;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "a folder, not a file",
  ENOTDIR: "no such file",
};

/** Why a file cannot be read, without its name, for a message that has it already: "no such file". */
export function describeReadFailure(error: unknown): string {
  if (error instanceof FileError) return error.reason;
  const { code = "" } = (error ?? {}) as NodeJS.ErrnoException;
  return reasons[code] ?? messageOf(error);
}
