import { isIP } from "node:net";
import { isHostName, isPort, parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import type { Scheme } from "../core/target/scheme.ts";

/** `dns-poll:///name:port`: the hosts that DNS has for a name, looked up again and again. */
export interface DnsPollTarget {
  readonly t: "dns-poll";
  readonly name: string;
  /** A number: the name's addresses with this port. A name: its SRV records, `_port._tcp.name`. */
  readonly port: number | string;
  /** The longest time between two lookups, in milliseconds; undefined: the source's default. */
  readonly refreshMs: number | undefined;
  /** How long an endpoint is used that later answers do not have, in milliseconds; undefined: not at all. */
  readonly unionMs: number | undefined;
  /** Which addresses of a name that has A and AAAA records are used; undefined: the source's default. */
  readonly family: "ipv4" | "ipv6" | "all" | undefined;
  /** The DNS server to query; undefined: the machine's. */
  readonly server: Address | undefined;
}

/** The least time between two lookups, in milliseconds. */
export const minRefreshMs = 1_000;

export const dnsPoll: Scheme<DnsPollTarget> = {
  grammar: "dns-poll://[server[:53]]/name:port[?refresh=30s&union=60s&family=ipv6]",
  parameters: ["refresh", "union", "family"],
  parse({ authority, path, parameters, wrong }) {
    const [, name = "", portText = ""] = /^([^:]+):([^:]*)$/.exec(path) ?? [];
    if (name === "") throw wrong(`"${path}" is not name:port`);
    if (isIP(name)) throw wrong(`"${name}" is an address, not a name: use static:///`);
    if (!isHostName(name)) throw wrong(`"${name}" is not a DNS name`);
    if (!isPort(portText)) throw wrong(`"${portText}" is not a port`);
    return {
      t: "dns-poll",
      name,
      port: /^\d+$/.test(portText) ? Number(portText) : portText,
      refreshMs: parameters.durationMs("refresh", { minMs: minRefreshMs }),
      unionMs: parameters.durationMs("union", { minMs: minRefreshMs }),
      family: parameters.choice("family", ["ipv4", "ipv6", "all"]),
      server: authority === "" ? undefined : parseServer(authority, wrong),
    };
  },
};

function parseServer(text: string, wrong: (why: string) => RangeError): Address {
  try {
    const server = parseAddress(text, 53);
    if (isIP(server.host)) return server;
  } catch {
    // Reported below, with what is expected of a server.
  }
  throw wrong(`"${text}" is not the address of a DNS server`);
}
