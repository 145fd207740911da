import { CallCredentials, type Interceptor, Metadata, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import { watchClientCall } from "../call/client-call.ts";
import { checkToken, TokenError } from "./token.ts";

/** Gives the token for an attempt of a call. It is called for each, so that it should keep what it has. */
export type TokenSource = () => string | Promise<string>;

/** What a client identifies itself with. */
export interface ClientAuthOptions {
  /** `tokenFromFile(path)`, `tokenFromClientCredentials(…)` of `@grpc-lb/interceptors/oauth2`, or a function of yours. */
  readonly token: TokenSource;
}

const rules: OptionRules = { token: "function" };

/**
 * Creates a client interceptor that sends a token with each attempt of a call, `authorization: Bearer …`, so that a retry has a fresh
 * one. Without a token the call fails with UNAVAILABLE, and the reason if it is one of this library's sources: the error of a function of
 * yours is not shown, because it may contain the token.
 *
 * The token goes out on channels without TLS, too: use those only where the network is trusted.
 *
 * @throws TypeError for options of another type or name
 */
export function createClientAuth(options: ClientAuthOptions): Interceptor {
  checkOptions("createClientAuth", options, rules, ["token"]);
  const { token: source } = options;
  const tokens = CallCredentials.createFromMetadataGenerator((_method, give) => {
    void getToken(source).then(
      (token) => {
        const metadata = new Metadata();
        metadata.set("authorization", `Bearer ${token}`);
        give(null, metadata);
      },
      (error: Error) => give(error),
    );
  });
  return (callOptions, nextCall) => {
    const { credentials } = callOptions;
    const next = nextCall({ ...callOptions, credentials: credentials ? credentials.compose(tokens) : tokens });
    return watchClientCall(next, { readsContext: true });
  };
}

async function getToken(source: TokenSource): Promise<string> {
  let failure = "no token";
  try {
    return checkToken(await source(), "the token");
  } catch (error) {
    if (error instanceof TokenError) failure = `no token: ${error.message}`;
  }
  throw Object.assign(new Error(failure), { code: status.UNAVAILABLE });
}
