import { type KubernetesTarget, parseTarget } from "@grpc-lb/discovery";
import type { Flag } from "@grpc-lb/program";

/** What this client calls: an address, or the endpoints of a service. */
export type HttpTarget = { readonly t: "url"; readonly url: URL } | KubernetesTarget;

/**
 * Reads what to call: a URL (`http://server/pod`), or `host[:port]`, which means HTTP and the path `/pod`; a URL without a
 * path gets `/pod` too.
 *
 * @throws RangeError with what was expected and what was got
 */
export function parseHttpTarget(text: string): URL {
  if (/^([^/]*\/\/)?[^/?#]*@/.test(text)) throw new RangeError("must not carry a user or a password");
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!url || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new RangeError(`must be a URL such as http://server/pod or a host such as server:80, got "${text}"`);
  }
  if (url.pathname === "/") url.pathname = "/pod";
  return url;
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
      throw new RangeError(`is refused: ${(error as Error).message}`);
    }
  },
};
