import { unbracketHost } from "@grpc-lb/core";
import { HttpClient } from "@grpc-lb/core/http";
import type { Caller } from "@grpc-lb/program";
import { getPod } from "./get-pod.ts";
import { authorize, type CallParts, connectOptions } from "./identity.ts";

/**
 * Creates a caller that opens a connection for each call and closes it afterwards. A Service balances when a connection is
 * opened, so these calls spread.
 */
export function callOverFreshConnections(url: URL, timeoutMs: number, { observe, identity }: CallParts): Caller {
  const isSecure = url.protocol === "https:";
  const client = new HttpClient({ isSecure, keepAlive: false });
  const request = {
    host: unbracketHost(url.hostname),
    port: Number(url.port) || (isSecure ? 443 : 80),
    path: `${url.pathname}${url.search}`,
  };
  const what = `GET ${url.origin}${url.pathname}`; // not the query, which may hold a secret
  const podRequest = { what, url, timeoutMs, observe };
  return {
    path: request.path,
    call: () =>
      getPod(podRequest, async (guard, read, observed) => {
        const headers = { ...observed, ...(await authorize(identity)) };
        return client.exchange({ ...request, headers, tls: connectOptions(identity) }, guard, read);
      }),
    close: () => client.close(),
  };
}
