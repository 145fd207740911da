import { messageOf, systemClock, unbracketHost } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";
import type { CustomFetch, TokenEndpointResponse } from "openid-client";
import { findProxy } from "./environment-proxy.ts";
import type { Entry } from "./kubeconfig-entry.ts";

const maxAnswerLength = 1024 * 1024;

/**
 * A fetch for openid-client that trusts the issuer's CA, uses the proxy of the environment, and ends with the signal, whatever the
 * caller of the fetch passes. Node's own fetch takes no CA.
 *
 * @param config the field `config` of the auth-provider, which its errors name
 * @param ca PEM. Default: Node's own CAs
 * @param signal is aborted when the answer is no longer wanted
 */
export function createIssuerFetch(config: Entry, ca: string | undefined, signal: AbortSignal): CustomFetch {
  return async (address, { method, headers, body }) => {
    const url = new URL(address);
    const proxy = findProxy(url, process.env);
    const http = new HttpClient({
      isSecure: true, // openid-client refuses other URLs
      keepAlive: false,
      background: true,
      proxy: proxy === undefined ? undefined : new URL(proxy),
    });
    const request = {
      method: method === "POST" ? ("POST" as const) : ("GET" as const),
      host: unbracketHost(url.hostname),
      port: Number(url.port) || 443,
      path: url.pathname + url.search,
      headers,
      body: body?.toString() ?? "",
      tls: ca === undefined ? {} : { ca },
    };
    const guard = new RequestGuard(signal, systemClock); // without a deadline: that is the signal's
    try {
      return await http.exchange(request, guard, async (answer) => {
        const text = await answer.text(maxAnswerLength);
        const contentType = answer.headers["content-type"] ?? "";
        return new Response(text === "" ? null : text, {
          status: answer.status,
          headers: { "content-type": contentType },
        });
      });
    } catch (cause) {
      throw config.error(`${url.host}: ${messageOf(cause)}`, cause);
    } finally {
      guard.release();
      http.close();
    }
  };
}

/**
 * Refreshes tokens with openid-client. The client that client-node 2.0.1 makes of it cannot be used: it passes the issuer as a
 * string, which openid-client refuses (https://github.com/kubernetes-client/javascript/issues/2202); with a CA, its fetch returns
 * no Response; and it sends no client secret.
 *
 * @throws the errors of openid-client, which may contain tokens
 */
export async function refreshAtIssuer(
  openid: typeof import("openid-client"),
  client: {
    readonly issuer: string;
    readonly id: string;
    readonly secret: string | undefined;
    readonly fetch: CustomFetch;
  },
  refreshToken: string,
): Promise<TokenEndpointResponse> {
  const { id, secret, fetch } = client;
  // The whole address, because kubectl does not compare the issuer with the one that the answer names.
  const address = new URL(`${client.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const found = await openid.discovery(address, id, undefined, openid.None(), { [openid.customFetch]: fetch });
  const server = found.serverMetadata();
  // OpenID Connect Discovery 1.0, section 3: Basic is the default.
  const isBasic = server.token_endpoint_auth_methods_supported?.includes("client_secret_basic") ?? true;
  const authenticate = isBasic ? openid.ClientSecretBasic : openid.ClientSecretPost;
  const method = secret === undefined ? openid.None() : authenticate(secret);
  const configuration = new openid.Configuration(server, id, secret, method);
  configuration[openid.customFetch] = fetch;
  return openid.refreshTokenGrant(configuration, refreshToken);
}
