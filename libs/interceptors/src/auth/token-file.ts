import {
  type Clock,
  checkOptions,
  describeReadFailure,
  type OptionRules,
  printableLine,
  readTextFile,
  showFileName,
  systemClock,
} from "@grpc-lb/core";
import { cacheToken } from "./cached-token.ts";
import type { TokenSource } from "./client-auth.ts";
import { checkToken, TokenError } from "./token.ts";

/** How a file with a token is read. */
export interface TokenFileOptions {
  /** How old a token may be before the file is read again, in milliseconds. Default: 10 s. */
  readonly reloadMs?: number | undefined;
}

const rules: OptionRules = { reloadMs: (value) => (Number(value) > 0 ? undefined : "must be a number > 0") };

/**
 * Takes a token from a file that another program replaces, such as a projected ServiceAccount token of Kubernetes. When the file
 * cannot be read any more, the last token is used for five minutes.
 *
 * @throws TypeError for options of another type or name
 */
export function tokenFromFile(path: string, options: TokenFileOptions = {}): TokenSource {
  checkOptions("tokenFromFile", options, rules);
  return tokenFromFileIn(path, options, systemClock);
}

/** For how long a token is used when its file cannot be read any more. */
const graceMs = 300_000;

/** The same with any clock. */
export function tokenFromFileIn(path: string, { reloadMs = 10_000 }: TokenFileOptions, clock: Clock): TokenSource {
  const where = `the token file ${showFileName(path)}`;
  return cacheToken(async () => {
    let text: string;
    try {
      text = await readTextFile(path, { maxBytes: 65_536, clock });
    } catch (error) {
      throw new TokenError(printableLine(`cannot read ${where}: ${describeReadFailure(error)}`, 300));
    }
    const staleMs = clock.now() + reloadMs; // a file is read at once
    return { token: checkToken(text, where), refreshMs: staleMs, staleMs, expiresMs: staleMs + graceMs };
  }, clock);
}
