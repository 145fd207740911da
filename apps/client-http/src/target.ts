import { messageOf, redactAddress } from "@grpc-lb/core";
import { type KubernetesTarget, parseTarget } from "@grpc-lb/discovery";
import type { Flag } from "@grpc-lb/program";

/** A URL, or the endpoints of a service. */
export type HttpTarget = { readonly t: "url"; readonly url: URL } | KubernetesTarget;

/**
 * Parses a URL (`http://server/pod`), or `host[:port]`, which means HTTP. An empty path means `/pod`.
 *
 * @throws RangeError with the expected form and the text, without its query, fragment, user and password, which may be secrets
 */
export function parseHttpTarget(text: string): URL {
  if (/^([^/]*\/\/)?[^/?#]*@/.test(text)) throw new RangeError("must not have a user or a password");
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!url || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    const expected = "a URL such as http://server/pod or a host such as server:80";
    throw new RangeError(`must be ${expected}, got "${redactAddress(text)}"`);
  }
  if (url.pathname === "/") url.pathname = "/pod";
  return url;
}

/** The same target with TLS, at the same port. */
export function withTls(target: HttpTarget): HttpTarget {
  if (target.t !== "url" || target.url.protocol === "https:") return target;
  const url = new URL(target.url);
  const port = url.port || "80";
  url.protocol = "https:";
  url.port = port;
  return { t: "url", url };
}

/** The flag `--target` of this client. */
export const targetFlag: Flag<HttpTarget> = {
  metavar: "url",
  help: "what to call: a URL, host:port, or kubernetes:///service:port",
  default: { t: "url", url: new URL("http://localhost:8080/pod") },
  defaultText: "http://localhost:8080/pod",
  parse(text) {
    if (!text.startsWith("kubernetes:")) return { t: "url", url: parseHttpTarget(text) };
    try {
      return parseTarget(text, "kubernetes");
    } catch (error) {
      throw new RangeError(`is invalid: ${messageOf(error)}`);
    }
  },
};
