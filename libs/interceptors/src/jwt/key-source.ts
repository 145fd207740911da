/** Where the keys of an issuer are. */
export type KeySource =
  | {
      /** The URL of the JWKS. */
      readonly url: string;
      /** Fetches it, for a server that wants a CA or a token of its own. Default: Node's `fetch`. */
      readonly fetch?: typeof fetch | undefined;
    }
  | {
      /** The path of a file with the JWKS. */
      readonly file: string;
    };
