import { isIPv4, isIPv6, SocketAddress } from "node:net";
import type { Address } from "./snapshot.ts";

/** Names as in DNS; also with underscores, which some networks of containers have in them. */
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** Whether this is a host name: labels, perhaps with a dot at the end, and nothing that only looks like an address. */
export function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, "").split(".");
  return text.length <= 253 && labels.every((each) => label.test(each)) && !/^\d+$/.test(labels.at(-1) ?? "");
}

/**
 * Reads `host:port`; the host is a name, an IPv4 address, or an IPv6 address in brackets.
 *
 * @param defaultPort where the port may be absent
 * @throws RangeError with what was expected and what was got
 */
export function parseAddress(text: string, defaultPort?: number): Address {
  const wrong = () => new RangeError(`must be host:port, an IPv6 host in brackets, got "${text}"`);
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const isHost = bracketed === undefined ? isIPv4(host) || isHostName(host) : isIPv6(host);
  const port = digits === undefined ? defaultPort : Number(digits);
  if (!isHost || port === undefined || port < 1 || port > 65_535) throw wrong();
  return { host: canonicalHost(host), port };
}

/** The one spelling of an IPv6 address (RFC 5952), so that two spellings are one endpoint; any other host as it is. */
export function canonicalHost(host: string): string {
  return host.includes(":") && isIPv6(host) ? new SocketAddress({ address: host, family: "ipv6" }).address : host;
}

/** Writes an address the way `parseAddress` reads it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
