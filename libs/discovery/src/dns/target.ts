import { isIP } from "node:net";
import { isHostName, parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import type { Scheme } from "../core/target/scheme.ts";
import { isPort } from "../kubernetes/target.ts";

/** `dns-poll:///name:port`: what DNS says of a name, asked again and again. */
export interface DnsPollTarget {
  readonly t: "dns-poll";
  readonly name: string;
  /** A number: the name's addresses with this port. A name: its SRV records, `_port._tcp.name`. */
  readonly port: number | string;
  /** The longest time between two looks; undefined: the source's choice. */
  readonly refreshMs: number | undefined;
  /** The DNS server to ask; undefined: the machine's. */
  readonly server: Address | undefined;
}

/** The least time between two looks, in milliseconds. */
export const minRefreshMs = 1_000;

export const dnsPoll: Scheme<DnsPollTarget> = {
  grammar: "dns-poll://[server[:53]]/name:port[?refresh=30s]",
  parameters: ["refresh"],
  parse({ authority, path, parameters, wrong }) {
    const [, name = "", portText = ""] = /^([^:]+):([^:]*)$/.exec(path) ?? [];
    if (name === "") throw wrong(`"${path}" is no name:port`);
    if (isIP(name)) throw wrong(`"${name}" is an address, not a name: that is for static:///`);
    if (!isHostName(name)) throw wrong(`"${name}" is no DNS name`);
    if (!isPort(portText)) throw wrong(`"${portText}" is no port`);
    return {
      t: "dns-poll",
      name,
      port: /^\d+$/.test(portText) ? Number(portText) : portText,
      refreshMs: parameters.durationMs("refresh", { minMs: minRefreshMs }),
      server: authority === "" ? undefined : parseServer(authority, wrong),
    };
  },
};

function parseServer(text: string, wrong: (why: string) => RangeError): Address {
  try {
    const server = parseAddress(text, 53);
    if (isIP(server.host)) return server;
  } catch {
    // Said below: for a server the expectation is another.
  }
  throw wrong(`"${text}" is no address of a DNS server`);
}
