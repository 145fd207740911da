import type { Parameters } from "./parameters.ts";

/** The parts of a target: `scheme://authority/path?parameters`. */
export interface TargetParts {
  readonly authority: string;
  /** Without the slashes before it, or with `mayBeginWithSlash` without the first; as it was written, with its %-escapes. */
  readonly path: string;
  readonly parameters: Parameters;
  /**
   * Creates the error with a reason; it also names the target and the scheme's grammar. Pieces of the target in the reason are
   * in quotes, by which they are redacted as the target itself.
   */
  wrong(why: string): RangeError;
}

/** The grammar of the targets of one scheme. */
export interface Scheme<T> {
  /** For messages. */
  readonly grammar: string;
  /** The names of the parameters; any other is refused before `parse` is called. */
  readonly parameters: readonly string[];
  /** Whether an `@` may be part of the path; otherwise it separates a user from a host, and is refused. Default: false. */
  readonly mayHoldAt?: boolean;
  /** Whether `scheme:path` is taken for `scheme:///path`. Default: false. */
  readonly mayOmitSlashes?: boolean;
  /** Whether only the first slash separates the path from the authority, and more belong to it. Default: none belongs to it. */
  readonly mayBeginWithSlash?: boolean;
  /** @throws RangeError made by `parts.wrong` */
  parse(parts: TargetParts): T;
}
