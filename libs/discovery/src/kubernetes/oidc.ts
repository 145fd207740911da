import { type Clock, messageOf } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import { loadOptional } from "../core/optional-package.ts";
import type { Entry } from "./kubeconfig-entry.ts";
import { createIssuerFetch, refreshAtIssuer } from "./oidc-issuer.ts";
import { SingleFlight } from "./single-flight.ts";

/** A token counts as expired this long before it is, as in client-go. */
const expiryMarginMs = 10_000;
const refreshTimeoutMs = 30_000;
/** RFC 6749, section 5.2. Any other text of an issuer may repeat a token. */
const refusals: ReadonlySet<string> = new Set([
  ...["invalid_request", "invalid_client", "invalid_grant"],
  ...["unauthorized_client", "unsupported_grant_type", "invalid_scope"],
]);

/**
 * The id tokens of a user whose `auth-provider` is `oidc`
 * (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-kubectl). An expired one is refreshed at the
 * issuer by client-node, which is loaded only for that. New tokens are kept in memory: kubectl would write them to the
 * kubeconfig, a library does not.
 */
export class OidcTokens {
  readonly #config: Entry;
  readonly #refreshing: SingleFlight<string>;
  #idToken: string | undefined;
  #refreshToken: string | undefined;

  /** @param config the field `config` of the auth-provider */
  constructor(config: Entry, clock: Clock) {
    this.#config = config;
    this.#refreshing = new SingleFlight(clock, refreshTimeoutMs);
    this.#idToken = config.text("id-token");
    this.#refreshToken = config.text("refresh-token");
  }

  /** Whether these are the tokens of `config`, however often they were refreshed. */
  isOf(config: Entry): boolean {
    return ["id-token", "refresh-token"].every((field) => config.text(field) === this.#config.text(field));
  }

  /**
   * @param signal is aborted when the caller no longer wants the token. A refresh ends with its last caller, or after 30 s
   * @throws Error when the token has expired and cannot be refreshed; the message contains no token
   */
  async idToken(signal: AbortSignal): Promise<string> {
    if (this.#idToken !== undefined && this.#isValid(this.#idToken)) return this.#idToken;
    if (this.#refreshToken === undefined) {
      const what = this.#idToken === undefined ? "there is no id-token" : "the id-token has expired";
      throw this.#config.error(`${what}, and there is no refresh-token: log in again`);
    }
    const refreshToken = this.#refreshToken;
    try {
      // Once for all callers: an issuer that replaces refresh tokens may revoke one that is used twice.
      return await this.#refreshing.do((ending) => this.#refresh(refreshToken, ending), signal);
    } catch (cause) {
      if (cause instanceof DiscoveryError) throw cause;
      throw this.#config.error(`the id-token was not refreshed: ${messageOf(cause)}`, cause);
    }
  }

  #isValid(token: string): boolean {
    try {
      const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      return Number(exp) * 1_000 > Date.now() + expiryMarginMs;
    } catch {
      throw this.#config.error("the id-token is not a valid JWT"); // the parser's message repeats it
    }
  }

  async #refresh(refreshToken: string, signal: AbortSignal): Promise<string> {
    const [id, secret] = [this.#require("client-id"), this.#config.text("client-secret")];
    const issuer = this.#require("idp-issuer-url");
    if (!URL.canParse(issuer) || new URL(issuer).protocol !== "https:") {
      throw this.#config.error("idp-issuer-url must be an https:// URL"); // the refresh token is secret
    }
    const ca = await this.#config.certificates("idp-certificate-authority");
    const { OpenIDConnectAuth, openid } = await this.#load();
    const fetch = createIssuerFetch(this.#config, ca, signal);
    const client = { refresh: (token: string) => refreshAtIssuer(openid, { issuer, id, secret, fetch }, token) };
    const config: Record<string, string | undefined> = {
      "client-id": id,
      "idp-issuer-url": issuer,
      "refresh-token": refreshToken,
      // client-node refreshes what is not a JWT. With the real token it would wait until the second of the expiry. A new
      // OpenIDConnectAuth each time, because it takes the lifetime of a new token for the time of its expiry.
      "id-token": "expired",
    };
    try {
      const user = { name: "", authProvider: { name: "oidc", config } };
      await new OpenIDConnectAuth().applyAuthentication(user, { headers: {} }, client);
    } catch (error) {
      throw this.#failure(error, openid);
    }
    const { "id-token": idToken, "refresh-token": next = refreshToken } = config;
    if (idToken === undefined) throw this.#config.error("the issuer's answer has no id_token");
    this.#idToken = idToken;
    this.#refreshToken = next; // an issuer need not send a new one: RFC 6749, section 6
    return idToken;
  }

  #require(field: string): string {
    const value = this.#config.text(field);
    if (value === undefined) throw this.#config.error(`${field} is required`);
    return value;
  }

  async #load() {
    try {
      const [{ OpenIDConnectAuth }, openid] = await loadOptional("@grpc-lb/discovery/kubernetes", () =>
        Promise.all([
          import("@kubernetes/client-node/dist/oidc_auth.js"), // the package's index does not export it
          import("openid-client"),
        ]),
      );
      return { OpenIDConnectAuth, openid };
    } catch (cause) {
      throw this.#config.error(`the id-token has expired, and cannot be refreshed: ${messageOf(cause)}`, cause);
    }
  }

  /** The error of a refresh. Those of the libraries may contain tokens, so none becomes a cause. */
  #failure(error: unknown, openid: typeof import("openid-client")): DiscoveryError {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if (cause instanceof DiscoveryError) return cause; // of the fetch
    }
    const what = "the issuer did not refresh the id-token";
    if (error instanceof openid.ResponseBodyError) {
      const code = refusals.has(error.error) ? ` ${error.error}` : "";
      return this.#config.error(`${what}: ${error.status}${code}`);
    }
    // The messages of this class are constants; those of its causes are not.
    const reason = error instanceof openid.ClientError ? error.message : "unexpected error of openid-client";
    return this.#config.error(`${what}: ${reason}`);
  }
}
