import { isProtectedUrl, type OptionRules } from "@grpc-lb/core";

/**
 * Where the keys of an issuer are. Checks that get the same object share its keys, so that they are read once.
 *
 * Keys are read with the first token, and again in the background when they are ten minutes old; and, while a call waits, for a token that is
 * signed with an unknown key or whose signature is wrong, 5 s after the last read at the earliest. While they cannot be read, those of the last time stay in use for 24 hours. After a failure the source is left
 * alone for 5 s.
 */
export type KeySource = (
  | {
      /**
       * The URL of the JWKS: https, or http to this machine, because who can change the answer can have every token accepted. It must
       * answer within 5 s, with at most 1 MiB.
       */
      readonly url: string;
      /** Fetches it, for a server that wants a CA or a token of its own. Default: Node's `fetch`. */
      readonly fetch?: typeof fetch | undefined;
    }
  | {
      /** The path of a file with the JWKS. */
      readonly file: string;
    }
) & {
  /** Called with the reason why the keys cannot be read, once until it changes or they can be read. Default: nobody is told. */
  readonly onProblem?: ((message: string) => void) | undefined;
};

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/** Those of a `KeySource`; `checkKeySource` checks them together. */
export const keySourceRules: OptionRules = {
  url: (value) => (typeof value === "string" && URL.canParse(value) ? undefined : "must be a URL"),
  file: (value) => (isText(value) ? undefined : "must be a text that is not empty"),
  fetch: "function",
  onProblem: "function",
};

/** @throws RangeError for a source that could not be trusted, or of which a part would be ignored */
export function checkKeySource(where: string, source: KeySource): void {
  const { url, file, fetch } = source as { readonly [name in "url" | "file" | "fetch"]?: unknown };
  if ((url === undefined) === (file === undefined)) throw new RangeError(`${where}: jwks must have either url or file`);
  if (file !== undefined && fetch !== undefined) throw new RangeError(`${where}: jwks.fetch has no effect with a file`);
  if (url !== undefined && !isProtectedUrl(new URL(String(url)))) {
    throw new RangeError(`${where}: jwks.url must be an https URL; http is for this machine alone`);
  }
}
