import { isIP } from "node:net";
import { checkOptions, isPortNumber, maxDurationMs, type OptionRules, redactAddress } from "@grpc-lb/core";
import { isHostName, isPort } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "../core/source.ts";
import { NameLookup } from "./name-lookup.ts";
import { pollName } from "./poll.ts";
import type { FamilyRule } from "./reader.ts";
import { minRefreshMs } from "./target.ts";

/** Which name to look up, and how. */
export interface DnsPollSourceOptions {
  /** With a dot at its end it is complete, and the search list is not used. */
  readonly name: string;
  /** A number: the name's A and AAAA records with this port. A name: the SRV records of `_port._tcp.name`. */
  readonly port: number | string;
  /** The longest time between two lookups, in milliseconds; at least a second. Default: 30 s. */
  readonly refreshMs?: number;
  /**
   * How long an endpoint is used that later answers do not have, in milliseconds: for a name server that answers with a part of
   * its addresses at a time, as Consul does. Default: 0, each answer is the whole set.
   */
  readonly unionMs?: number;
  /** Which addresses of a name that has A and AAAA records are used. Default: `ipv4`. */
  readonly family?: FamilyRule;
  /** The DNS server to query, an IP address and a port. Default: those of the machine. */
  readonly server?: Address;
  /** How long to wait for the answer to a query, in milliseconds. Default: 5 s. */
  readonly timeoutMs?: number;
  /** The file with `search` and `ndots`. Default: /etc/resolv.conf. */
  readonly resolvConf?: string;
  /** Default: /etc/hosts. */
  readonly hosts?: string;
  /** As in `SourceDefinition`; a query under way keeps the process alive all the same, up to `timeoutMs`. Default: false. */
  readonly background?: boolean;
}

const families: readonly unknown[] = ["ipv4", "ipv6", "all"];

const optionRules: OptionRules = {
  ...{ name: "string", refreshMs: "number", unionMs: "number", timeoutMs: "number", background: "boolean" },
  ...{ resolvConf: "string", hosts: "string" },
  port: ["string", "number"],
  family: (value) => (families.includes(value) ? undefined : "must be ipv4, ipv6 or all"),
  server: { options: { host: "string", port: "number" }, required: ["host", "port"] },
};

/**
 * Creates a source that looks a name up in DNS again and again: when the answer's TTL (RFC 1035) is over, but at most once a
 * second and at least once in `refreshMs`. In its stats, `lists` counts lookups.
 *
 * With a port number each host of the name is an endpoint; with a port name each host of the SRV records (RFC 2782) of the lowest
 * priority, with its weight. A name with at most one A and one AAAA record is one host with two addresses. A name with more has a
 * host for each address of one family, IPv4 unless `family` is `ipv6`, or of the other one where there are none.
 *
 * A lookup that fails (SERVFAIL, REFUSED, no answer) leaves the last good endpoints, with the error beside them. That the name
 * does not exist, or has no records (NXDOMAIN and NODATA, RFC 2308), counts when a second lookup confirms it.
 *
 * The hosts file precedes DNS, except for SRV and for a given server; the search list is used as resolver(3) does.
 *
 * @throws RangeError for an option that is not valid, TypeError for one of another type or name
 */
export function createDnsPollSource(options: DnsPollSourceOptions): Source {
  return defineSourceIn(defineDnsPollSource(options), {});
}

/** What `createDnsPollSource` makes a source of. @throws RangeError for an option that is not valid */
export function defineDnsPollSource(options: DnsPollSourceOptions): SourceDefinitionIn {
  checkOptions("createDnsPollSource", options, optionRules, ["name", "port"]);
  const { name, port, server, refreshMs = 30_000, unionMs = 0, timeoutMs = 5_000, background } = options;
  const { resolvConf = "/etc/resolv.conf", hosts = "/etc/hosts", family = "ipv4" } = options;
  if (!isHostName(name) || isIP(name)) throw new RangeError(`name must be a DNS name, got "${redactAddress(name)}"`);
  if (!isPortNumber(port) && !(typeof port === "string" && !/^\d+$/.test(port) && isPort(port))) {
    throw new RangeError(`port must be a number from 1 to 65535, or a name, got "${port}"`);
  }
  if (server && !isIP(server.host))
    throw new RangeError(`server must be an IP address, got "${redactAddress(server.host)}"`);
  for (const [field, value, least] of [
    ["refreshMs", refreshMs, minRefreshMs],
    ["unionMs", unionMs, 0],
    ["timeoutMs", timeoutMs, 1],
  ] as const) {
    if (!(value >= least && value <= maxDurationMs)) {
      throw new RangeError(`${field} must be from ${least} to ${maxDurationMs}, got ${value}`);
    }
  }
  return {
    subject: `dns ${name}:${port}`,
    key: JSON.stringify(["dns", name, port, family, refreshMs, unionMs, server, timeoutMs, resolvConf, hosts]),
    background,
    start(store, signal, { clock, random }) {
      const lookup = new NameLookup({ name, port, family, server, timeoutMs, clock, resolvConf, hosts });
      return pollName({ lookup, refreshMs, unionMs, clock, random }, store, signal);
    },
  };
}
