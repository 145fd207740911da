import type { Clock } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";
import { findProxy } from "./environment-proxy.ts";
import { type Entry, isObject } from "./kubeconfig-entry.ts";

/** A token counts as expired this long before it is, as in client-go. */
const expiryMarginMs = 10_000;
const answerTimeoutMs = 15_000;
const totalTimeoutMs = 30_000;
const maxAnswerLength = 1024 * 1024;

/**
 * The id tokens of a user whose `auth-provider` is `oidc`
 * (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-kubectl). An expired one is refreshed at the
 * issuer. New tokens are kept in memory: kubectl would write them to the kubeconfig, a library does not.
 */
export class OidcTokens {
  readonly #config: Entry;
  readonly #clock: Clock;
  #idToken: string | undefined;
  #refreshToken: string | undefined;

  /** @param config the field `config` of the auth-provider */
  constructor(config: Entry, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#idToken = config.text("id-token");
    this.#refreshToken = config.text("refresh-token");
  }

  /** Whether these are the tokens of `config`, however often they were refreshed. */
  isOf(config: Entry): boolean {
    return ["id-token", "refresh-token"].every((field) => config.text(field) === this.#config.text(field));
  }

  /** @throws Error when the token has expired and cannot be refreshed; it has no token */
  async idToken(signal: AbortSignal): Promise<string> {
    if (this.#idToken !== undefined && this.#isValid(this.#idToken)) return this.#idToken;
    if (this.#refreshToken === undefined) {
      const what = this.#idToken === undefined ? "there is no id-token" : "the id-token has expired";
      throw this.#config.error(`${what}, and there is no refresh-token: log in again`);
    }
    const { token_endpoint: endpoint, token_endpoint_auth_methods_supported: methods } = await this.#discover(signal);
    if (typeof endpoint !== "string") throw this.#config.error("the issuer names no token_endpoint");
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: this.#refreshToken });
    const [id, secret] = [this.#config.text("client-id"), this.#config.text("client-secret")];
    if (id === undefined) throw this.#config.error("client-id is required");
    const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded" };
    // RFC 6749, section 2.3.1: Basic is what every server takes that gave the client a password.
    const isBasic = !Array.isArray(methods) || methods.includes("client_secret_basic");
    if (secret !== undefined && isBasic) {
      const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
      headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    } else {
      body.set("client_id", id);
      if (secret !== undefined) body.set("client_secret", secret);
    }
    const answer = await this.#exchange(endpoint, signal, { method: "POST", headers, body: body.toString() });
    if (typeof answer.id_token !== "string") throw this.#config.error("the issuer's answer has no id_token");
    this.#idToken = answer.id_token;
    if (typeof answer.refresh_token === "string") this.#refreshToken = answer.refresh_token;
    return answer.id_token;
  }

  #isValid(token: string): boolean {
    try {
      const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      return Number(exp) * 1_000 > Date.now() + expiryMarginMs;
    } catch {
      throw this.#config.error("the id-token is not a valid JWT"); // the parser's message repeats it
    }
  }

  #discover(signal: AbortSignal): Promise<Record<string, unknown>> {
    const issuer = this.#config.text("idp-issuer-url");
    if (issuer === undefined) throw this.#config.error("idp-issuer-url is required");
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    return this.#exchange(url, signal, {});
  }

  async #exchange(
    text: string,
    signal: AbortSignal,
    request: { method?: "POST"; headers?: Record<string, string>; body?: string },
  ): Promise<Record<string, unknown>> {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isSecure = url?.protocol === "https:";
    if (!url || !(isSecure || (url.protocol === "http:" && /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)))) {
      throw this.#config.error("the issuer and its token_endpoint must be https:// URLs"); // the refresh token is secret
    }
    const ca = await this.#config.certificates("idp-certificate-authority");
    const proxy = findProxy(url, process.env);
    const http = new HttpClient({
      isSecure,
      keepAlive: false,
      background: true,
      proxy: proxy ? new URL(proxy) : undefined,
    });
    const guard = new RequestGuard(signal, this.#clock, totalTimeoutMs);
    guard.allow(answerTimeoutMs);
    try {
      const host = url.hostname.replace(/^\[|\]$/g, "");
      const port = Number(url.port) || (isSecure ? 443 : 80);
      const target = { host, port, path: url.pathname + url.search, tls: ca === undefined ? {} : { ca } };
      return await http.exchange({ ...request, ...target }, guard, async (answer) => {
        if (answer.status !== 200) throw this.#config.error(`${url.host}: ${answer.status} ${answer.phrase}`);
        const value: unknown = parseJson(await answer.text(maxAnswerLength));
        if (!isObject(value)) throw this.#config.error(`${url.host}: the answer is not a JSON object`);
        return value;
      });
    } finally {
      guard.release();
      http.close();
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the message of the parser repeats the text
  }
}
