import { BlockList, isIP } from "node:net";
import { unbracketHost } from "@grpc-lb/core";
import { canonicalHost } from "../core/address.ts";

/**
 * The proxy that the environment has for a server, by Go's rules
 * (https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config), which kubectl follows: HTTPS_PROXY or HTTP_PROXY by the server's
 * scheme, or, where that is empty, in lower case; none for localhost, loopback addresses and what NO_PROXY lists: names with their subdomains,
 * `.domain` for the subdomains alone, addresses, CIDR ranges, each with a port or without, or `*`.
 */
export function findProxy(server: URL, env: NodeJS.ProcessEnv): string | undefined {
  const proxy = server.protocol === "https:" ? env.HTTPS_PROXY || env.https_proxy : env.HTTP_PROXY || env.http_proxy;
  if (!proxy || isExcluded(server, env.NO_PROXY || env.no_proxy || "")) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function isExcluded(server: URL, list: string): boolean {
  const host = canonicalHost(unbracketHost(server.hostname).replace(/\.$/, ""));
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || isInRange(host, "127.0.0.0/8") || host === "::1") return true;
  return list.split(",").some((text) => {
    const item = text.trim().toLowerCase();
    if (item === "") return false;
    if (item === "*" || isInRange(host, item)) return true;
    const [, name = "", itemPort = port] = /^(.*?)(?::(\d+))?$/.exec(isIP(item) === 6 ? `[${item}]` : item) ?? [];
    if (itemPort !== port) return false;
    const plain = canonicalHost(unbracketHost(name));
    if (isIP(host) !== 0 || isIP(plain) !== 0) return plain === host;
    const suffix = plain.replace(/^\*(?=\.)/, "");
    return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
  });
}

function isInRange(host: string, cidr: string): boolean {
  const [address = "", prefix = ""] = cidr.split("/");
  const [family, rangeFamily] = [isIP(host), isIP(address)];
  if (family === 0 || family !== rangeFamily || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const range = new BlockList();
  range.addSubnet(address, Number(prefix), type);
  return range.check(host, type);
}
