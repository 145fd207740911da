/**
 * Where the keys of an issuer are. Checks that get the same object share its keys, so that they are read once.
 *
 * Keys are read with the first token, and again in the background when they are ten minutes old; and, while a call waits, for a token that is
 * signed with an unknown key or whose signature is wrong, 5 s after the last read at the earliest. While they cannot be read, those of the last time stay in use for 24 hours. After a failure the source is left
 * alone for 5 s.
 */
export type KeySource = (
  | {
      /** The URL of the JWKS. It must answer within 5 s, with at most 1 MiB. */
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
