import { isIP, isIPv4, isIPv6, SocketAddress } from "node:net";
import { describeType, formatHostPort, isPortNumber, parsePortNumber, redactAddress } from "@grpc-lb/core";
import type { Address } from "./snapshot.ts";

/** A label of DNS; also with underscores, which the names of some container networks have. */
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** Whether this is a host name: labels, optionally with a dot at the end, the last one not a number as in an IPv4 address. */
export function isHostName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((each) => label.test(each)) && !/^\d+$/.test(labels.at(-1) ?? "");
}

/**
 * Whether this is a port: a number from 1 to 65535, or a name as IANA writes it (RFC 6335, section 5.1).
 *
 * @param maxLength of a name; that of a port of an EndpointSlice may have 63 characters, as a DNS label
 */
export function isPort(text: string, maxLength = 15): boolean {
  if (/^\d+$/.test(text)) return parsePortNumber(text) !== undefined;
  return text.length <= maxLength && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/**
 * Reads `host:port`; the host is a name, an IPv4 address, or an IPv6 address in brackets.
 *
 * @param defaultPort where the port may be absent
 * @throws RangeError with what was expected and what was got, without what may be a secret
 */
export function parseAddress(text: string, defaultPort?: number): Address {
  if (typeof text !== "string") {
    throw new TypeError(`an address must be a text such as host:port, got ${describeType(text)}`);
  }
  const wrong = () => new RangeError(`must be host:port, an IPv6 host in brackets, got "${redactAddress(text)}"`);
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const isHost = bracketed === undefined ? isIPv4(host) || isHostName(host) : isIPv6(host);
  const port = digits === undefined ? defaultPort : Number(digits);
  if (!isHost || !isPortNumber(port)) throw wrong();
  return { host: canonicalHost(host), port };
}

/**
 * The one spelling of a host, so that two spellings are one endpoint: of an IPv6 address that of RFC 5952, with its zone
 * (`fe80::1%eth0`); of one that is mapped (`::ffff:10.0.0.1`) the IPv4 address, to which the kernel connects; of a name that in
 * lower case.
 */
export function canonicalHost(host: string): string {
  if (!host.includes(":")) return host.toLowerCase();
  if (!isIPv6(host)) return host;
  const { address } = new SocketAddress({ address: host, family: "ipv6" });
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : "";
  if (isIPv4(mapped)) return mapped;
  const zone = host.indexOf("%");
  // In a URL the % of a zone is escaped (RFC 6874).
  return zone < 0 ? address : address + host.slice(zone).replace(/^%25(?=[a-z])/i, "%");
}

/** Writes an address the way `parseAddress` reads it. @throws TypeError for another type */
export function formatAddress(address: Address): string {
  const { host, port } = address ?? {};
  if (typeof host !== "string") {
    throw new TypeError(`an address must be as { host: "10.0.0.1", port: 80 }, got ${describeType(address)}`);
  }
  return formatHostPort(host, port);
}

/** Whether a host, as in `Address`, is certainly this machine: what is sent there does not leave it. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return /^(?:.*\.)?localhost\.?$/i.test(host);
  const canonical = canonicalHost(host);
  return canonical.startsWith("127.") || /^::1(?:%|$)/.test(canonical);
}
