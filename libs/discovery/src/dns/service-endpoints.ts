import { formatAddress } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import type { ServiceRecord } from "./name-server.ts";

/** An endpoint of which no more is known than where it is. */
export function toEndpoint(host: string, port: number, more: Partial<Endpoint> = {}): Endpoint {
  const address = { host, port };
  return {
    id: formatAddress(address),
    addresses: [address],
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
    ...more,
  };
}

/**
 * The SRV records to use: those of the lowest priority, without "." (the service is decidedly not there), in a stable order
 * (RFC 2782). Those of the next priority are for when none of these can be reached, which no name server knows.
 */
export function chooseRecords(records: readonly ServiceRecord[]): readonly ServiceRecord[] {
  const there = records.filter(({ target, port }) => target !== "" && target !== "." && port > 0);
  const lowest = Math.min(...there.map(({ priority }) => priority));
  const key = ({ target, port }: ServiceRecord) => `${target}:${port}`;
  const byKey = new Map(there.filter(({ priority }) => priority === lowest).map((record) => [key(record), record]));
  return [...byKey.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * The endpoints of one SRV record, whose target is a host: with at most one address of each family it is one endpoint, IPv4
 * first. A target that has more is several hosts under one name, which share its weight.
 *
 * @param hasWeights whether any of the records weighs something; where none does, all weigh the same
 */
export function toEndpoints(
  { target, port, weight }: ServiceRecord,
  { A, AAAA }: { readonly A: readonly string[]; readonly AAAA: readonly string[] },
  hasWeights: boolean,
): Endpoint[] {
  const own = hasWeights ? weight : 1;
  const hosts = [...A, ...AAAA];
  const metadata = { host: target };
  if (A.length > 1 || AAAA.length > 1) {
    return hosts.map((host) => toEndpoint(host, port, { weight: own / hosts.length, metadata }));
  }
  const [first = ""] = hosts;
  const addresses = hosts.map((host) => ({ host, port }));
  return hosts.length === 0
    ? []
    : [toEndpoint(first, port, { id: `${target}:${port}`, addresses, weight: own, metadata })];
}
