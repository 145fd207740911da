import { type Clock, checkOptions, isProtectedUrl, type OptionRules, systemClock } from "@grpc-lb/core";
import * as openid from "openid-client";
import { cacheToken } from "../auth/cached-token.ts";
import type { TokenSource } from "../auth/client-auth.ts";
import { checkToken, TokenError } from "../auth/token.ts";

/** A client of an authorization server. */
export interface ClientCredentialsOptions {
  /** The issuer's URL, whose metadata names the token endpoint. `http` only for loopback addresses. */
  readonly issuer: string;
  readonly clientId: string;
  /** The client's secret, or where it comes from: `tokenFromFile(path)` for a file that is replaced. */
  readonly clientSecret: string | TokenSource;
  /** The scopes, separated by spaces. Default: none. */
  readonly scope?: string | undefined;
  /** The resource that the token is for (RFC 8707). Default: none. */
  readonly resource?: string | undefined;
  /** Further parameters of the request, such as the `audience` that some servers want. Default: none. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

const rules: OptionRules = {
  issuer: (value) => {
    const url = typeof value === "string" ? URL.parse(value) : null;
    return url && isProtectedUrl(url) ? undefined : "must be an https URL, or an http URL of this machine";
  },
  clientId: (value) => (isText(value) ? undefined : "must be a text that is not empty"),
  clientSecret: (value) =>
    isText(value) || typeof value === "function" ? undefined : "must be a text that is not empty, or a function",
  scope: "string",
  resource: "string",
  parameters: "object",
};

/** The longest exchange with the authorization server, in seconds. */
const timeoutSeconds = 10;
/** When that share of a token's life is over, a new one is fetched; later, calls wait for it. */
const refreshShare = 0.8;
const staleShare = 0.9;
/** How long a token lasts whose server does not say. */
const defaultLifeSeconds = 300;

/**
 * Takes tokens from an authorization server by OAuth 2.0's client credentials (RFC 6749, 4.4), with openid-client. When 80 % of a
 * token's life are over, a new one is fetched, for which calls wait from 90 % on; when none can be had, the old one is used to its
 * end. Without a token, calls fail with the last error, and the server is asked again after 1 s, then after pauses that double up to
 * 10 s.
 *
 * @throws TypeError for options of another type or name
 */
export function tokenFromClientCredentials(options: ClientCredentialsOptions): TokenSource {
  checkOptions("tokenFromClientCredentials", options, rules, ["issuer", "clientId", "clientSecret"]);
  return tokenFromClientCredentialsIn(options, systemClock);
}

/** The same with any clock. */
export function tokenFromClientCredentialsIn(
  options: ClientCredentialsOptions,
  clock: Pick<Clock, "now">,
): TokenSource {
  const { issuer, clientId, clientSecret, scope, resource, parameters = {} } = options;
  /** The issuer's metadata, until a fetch fails: its token endpoint may have moved. */
  let metadata: openid.ServerMetadata | undefined;
  const configure = async (secret: string): Promise<openid.Configuration> => {
    const execute = new URL(issuer).protocol === "http:" ? [openid.allowInsecureRequests] : [];
    if (!metadata) {
      const options = { timeout: timeoutSeconds, execute };
      const found = await openid.discovery(new URL(issuer), clientId, secret, undefined, options);
      metadata = found.serverMetadata();
    }
    const config = new openid.Configuration(metadata, clientId, secret, authentication(metadata, secret));
    config.timeout = timeoutSeconds;
    for (const each of execute) each(config);
    return config;
  };
  return cacheToken(async () => {
    try {
      const config = await configure(typeof clientSecret === "string" ? clientSecret : await clientSecret());
      const answer = await openid.clientCredentialsGrant(config, {
        ...parameters,
        ...(scope !== undefined && { scope }),
        ...(resource !== undefined && { resource }),
      });
      const lifeMs = (answer.expires_in ?? defaultLifeSeconds) * 1_000;
      const nowMs = clock.now();
      return {
        token: checkToken(answer.access_token, `the token of ${issuer}`),
        refreshMs: nowMs + lifeMs * refreshShare,
        staleMs: nowMs + lifeMs * staleShare,
        expiresMs: nowMs + lifeMs,
      };
    } catch (error) {
      metadata = undefined;
      throw error instanceof TokenError ? error : new TokenError(`${issuer} gave none: ${describe(error)}`);
    }
  }, clock);
}

/** The secret goes into the request's body, unless the server takes it in the header alone (RFC 6749, 2.3.1). */
function authentication(
  { token_endpoint_auth_methods_supported: methods }: openid.ServerMetadata,
  secret: string,
): openid.ClientAuth {
  const isHeader = methods?.includes("client_secret_basic") && !methods.includes("client_secret_post");
  return isHeader ? openid.ClientSecretBasic(secret) : openid.ClientSecretPost(secret);
}

/** The messages of openid-client may contain what was sent; its codes do not. */
function describe(error: unknown): string {
  const { error: code, status, code: kind } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const words = [code, kind].filter((word) => typeof word === "string" && /^\w{1,60}$/.test(word));
  const response = responseOf(error);
  if (response) words.push(`HTTP ${response.status} of ${withoutQuery(response.url)}`);
  else if (typeof status === "number") words.push(`HTTP ${status}`);
  return words.length > 0 ? words.join(", ") : "it cannot be reached";
}

/** The answer that openid-client did not understand: the last cause of its error. */
function responseOf(error: unknown): Response | undefined {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) cause = cause.cause;
  return cause instanceof Response ? cause : undefined;
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
