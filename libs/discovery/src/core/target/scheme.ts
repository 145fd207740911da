import type { Parameters } from "./parameters.ts";

/** A target, cut in pieces: `scheme://authority/path?parameters`. */
export interface TargetParts {
  readonly authority: string;
  /** Without the slashes before it, or with `mayBeginWithSlash` without the first; as it was written, with its %-escapes. */
  readonly path: string;
  readonly parameters: Parameters;
  /** The error that says what is wrong; it names the target and the scheme's grammar. */
  wrong(why: string): RangeError;
}

/** How the targets of one scheme are written and read. */
export interface Scheme<T> {
  /** As a person is told it. */
  readonly grammar: string;
  /** The parameters there are; any other is refused before `parse` is called. */
  readonly parameters: readonly string[];
  /** Whether an `@` is part of a name here; elsewhere it would part a user from a host. Default: false. */
  readonly mayHoldAt?: boolean;
  /** Whether `scheme:path` is taken for `scheme:///path`. Default: false. */
  readonly mayOmitSlashes?: boolean;
  /** Whether only the first slash parts the path from the authority, and others belong to it. Default: all are left out. */
  readonly mayBeginWithSlash?: boolean;
  /** @throws RangeError made by `parts.wrong` */
  parse(parts: TargetParts): T;
}
