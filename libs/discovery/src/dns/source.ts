import { isIP } from "node:net";
import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { isHostName } from "../core/address.ts";
import { endable, maxTimerMs } from "../core/endable.ts";
import { LastGood } from "../core/last-good.ts";
import { SharedWatch } from "../core/shared-watch.ts";
import type { Address, Source } from "../core/snapshot.ts";
import { SourceCounts } from "../core/source-counts.ts";
import type { SourceStats } from "../core/source-stats.ts";
import { isPort } from "../kubernetes/target.ts";
import { NameLookup } from "./name-lookup.ts";
import { NamePoll } from "./name-poll.ts";
import { minRefreshMs } from "./target.ts";

/** Which name, and how it is asked for. */
export interface DnsPollSourceOptions {
  /** With a dot at its end it is complete, and the search list is not used. */
  readonly name: string;
  /** A number: the name's A and AAAA records with this port. A name: the SRV records of `_port._tcp.name`. */
  readonly port: number | string;
  /** The longest time between two looks, in milliseconds; at least a second. Default: 30 s. */
  readonly refreshMs?: number;
  /** The DNS server to ask, an IP address and a port. Default: those of the machine. */
  readonly server?: Address;
  /** How long the answer to a question is waited for, in milliseconds. Default: 5 s. */
  readonly timeoutMs?: number;
  /** Where `search` and `ndots` stand. Default: /etc/resolv.conf. */
  readonly resolvConf?: string;
  /** Default: /etc/hosts. */
  readonly hosts?: string;
  /**
   * Whether a watch that is read does not keep the process alive by itself; a question under way does, as long as `timeoutMs`.
   * Default: false.
   */
  readonly background?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A source of what DNS says of a name. */
export interface DnsPollSource extends Source {
  /** `lists`: how often the name was looked up; `watches`: how often that began. */
  readonly stats: SourceStats;
}

/**
 * Looks a name up in DNS again and again: when the answer's TTL (RFC 1035) is over, but at most once a second and at least once
 * in `refreshMs`. Each address is an endpoint; an SRV record (RFC 2782) of the lowest priority is one with its weight.
 *
 * A look that fails (SERVFAIL, REFUSED, no answer) leaves the last good endpoints and its error beside them. That there is no such
 * name, or nothing under it (NXDOMAIN and NODATA, RFC 2308), is believed when a second look says the same.
 *
 * The hosts file goes before DNS, except for SRV and for a certain server; the search list is used as resolver(3) does. All
 * readers of this source share one watch; with the last one, sockets and timers are gone.
 *
 * @throws RangeError for an option that cannot be
 */
export function createDnsPollSource(options: DnsPollSourceOptions): DnsPollSource {
  const { name, port, server, refreshMs = 30_000, timeoutMs = 5_000, background = false } = options;
  const { clock = systemClock, random = Math.random, resolvConf = "/etc/resolv.conf", hosts = "/etc/hosts" } = options;
  if (!isHostName(name) || isIP(name)) throw new RangeError(`name must be a DNS name, got "${name}"`);
  const isNumber = typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!isNumber && !(typeof port === "string" && !/^\d+$/.test(port) && isPort(port))) {
    throw new RangeError(`port must be a number from 1 to 65535, or a name, got "${port}"`);
  }
  if (server && !isIP(server.host)) throw new RangeError(`server must be an IP address, got "${server.host}"`);
  for (const [field, value, least] of [
    ["refreshMs", refreshMs, minRefreshMs],
    ["timeoutMs", timeoutMs, 1],
  ] as const) {
    if (!(value >= least && value <= maxTimerMs)) {
      throw new RangeError(`${field} must be from ${least} to ${maxTimerMs}, got ${value}`);
    }
  }
  const subject = `dns ${name}:${port}`;
  const counts = new SourceCounts(clock);
  const shared = new SharedWatch((latest, signal) => {
    const lookup = new NameLookup({ name, port, server, timeoutMs, clock, resolvConf, hosts });
    return new NamePoll({ lookup, refreshMs, clock, random, counts }, new LastGood(subject, latest)).run(signal);
  });
  return {
    subject,
    watch: (signal) => endable((ending) => shared.read(ending), signal, background),
    get stats() {
      return counts.stats;
    },
  };
}
