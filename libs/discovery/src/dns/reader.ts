import { canonicalHost, formatAddress, isHostName } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import type { ServiceRecord } from "./name-server.ts";

/**
 * Which addresses of a name are used: those of the family that is preferred, or of the other one if there are none; or `all`,
 * by which a host that has both has two shares of the calls.
 */
export type FamilyRule = "ipv4" | "ipv6" | "all";

/** The addresses of one name. */
export interface FamilyAddresses {
  readonly A: readonly string[];
  readonly AAAA: readonly string[];
}

/**
 * The hosts behind a name, with the addresses of each. A name with at most one address of each family is one host, which has
 * both, the preferred one first. A name with more is several hosts. Which of their IPv4 and IPv6 addresses belong together
 * nobody knows, so that each address of one family alone is a host: a dual-stack host has one share.
 */
export function chooseHosts({ A, AAAA }: FamilyAddresses, rule: FamilyRule): readonly (readonly string[])[] {
  const [first, second] = rule === "ipv6" ? [AAAA, A] : [A, AAAA];
  const both = [...first, ...second];
  if (rule === "all") return both.map((host) => [host]);
  if (first.length <= 1 && second.length <= 1) return both.length === 0 ? [] : [both];
  return (first.length > 0 ? first : second).map((host) => [host]);
}

/** The endpoints of a name that is looked up for its addresses. */
export function toAddressEndpoints(addresses: FamilyAddresses, port: number, rule: FamilyRule): Endpoint[] {
  return chooseHosts(addresses, rule).map((hosts) => toEndpoint(hosts, port));
}

/**
 * The endpoints of one SRV record. A target that is one host is one endpoint; the hosts of another one share its weight.
 *
 * @param hasWeights whether any of the records has a weight; if none does, all weigh the same
 */
export function toServiceEndpoints(
  { target, port, weight }: ServiceRecord,
  addresses: FamilyAddresses,
  { hasWeights, rule }: { readonly hasWeights: boolean; readonly rule: FamilyRule },
): Endpoint[] {
  const own = hasWeights ? weight : 1;
  const metadata = { host: target };
  const hosts = chooseHosts(addresses, rule);
  const isOne = hosts.length === 1;
  return hosts.map((each) =>
    toEndpoint(each, port, { weight: own / hosts.length, metadata, ...(isOne && { id: `${target}:${port}` }) }),
  );
}

function toEndpoint(hosts: readonly string[], port: number, more: Partial<Endpoint> = {}): Endpoint {
  const addresses = [...new Set(hosts.map(canonicalHost))].map((host) => ({ host, port }));
  const [first = { host: "", port }] = addresses;
  return {
    id: formatAddress(first),
    addresses,
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
    ...more,
  };
}

/**
 * The SRV records to use: those of the lowest priority, each once, in a stable order (RFC 2782). A target of "." means that the
 * service is decidedly not available. Records of a higher priority are for when no target of these can be reached, which no
 * name server knows.
 *
 * @returns also the records that cannot be used: their target is not a host name, or their port is 0
 */
export function chooseRecords(records: readonly ServiceRecord[]): {
  readonly used: readonly ServiceRecord[];
  readonly refused: readonly ServiceRecord[];
} {
  const available = records.filter(({ target }) => target !== "" && target !== ".");
  const isUsable = ({ target, port }: ServiceRecord) => isHostName(target) && port > 0;
  const usable = available.filter(isUsable);
  const lowest = usable.reduce((least, { priority }) => Math.min(least, priority), Number.POSITIVE_INFINITY);
  const key = ({ target, port }: ServiceRecord) => `${target}:${port}`;
  const byKey = new Map(usable.filter(({ priority }) => priority === lowest).map((record) => [key(record), record]));
  const used = [...byKey.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return { used, refused: available.filter((record) => !isUsable(record)) };
}
