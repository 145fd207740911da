import { messageOf } from "@grpc-lb/core";
import { HttpClient, type RequestGuard } from "@grpc-lb/core/http";
import type { CustomFetch } from "openid-client";
import { findProxy } from "./environment-proxy.ts";
import type { Entry } from "./kubeconfig-entry.ts";

const maxAnswerLength = 1024 * 1024;

/**
 * A fetch for openid-client that trusts the issuer's CA, uses the proxy of the environment, and ends with the guard. Node's own
 * fetch takes neither a CA nor a clock.
 *
 * @param config the field `config` of the auth-provider, which its errors name
 * @param ca PEM. Default: Node's own CAs
 */
export function createIssuerFetch(config: Entry, ca: string | undefined, guard: RequestGuard): CustomFetch {
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
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || 443,
      path: url.pathname + url.search,
      headers,
      body: body?.toString() ?? "",
      tls: ca === undefined ? {} : { ca },
    };
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
      http.close();
    }
  };
}
