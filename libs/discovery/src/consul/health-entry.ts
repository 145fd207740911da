import { isIP } from "node:net";
import { formatAddress, isHostName } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { isWeight } from "../core/weight.ts";

/**
 * One instance as `/v1/health/service/:name` tells of it, as far as it is read here.
 * https://developer.hashicorp.com/consul/api-docs/health#list-service-instances-for-service
 */
export interface HealthEntry {
  readonly Node: {
    readonly Node: string;
    readonly Address?: string;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly Locality?: { readonly Zone?: string } | null;
  };
  readonly Service: {
    readonly ID: string;
    readonly Service: string;
    readonly Address?: string;
    readonly Port?: number;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly Weights?: { readonly Passing?: number; readonly Warning?: number } | null;
    readonly Locality?: { readonly Zone?: string } | null;
  };
  readonly Checks?: readonly { readonly Status: string; readonly ServiceName?: string }[] | null;
}

/**
 * The key of Service.Meta that holds a weight which Weights.Passing, a whole number from 1 to 65535, cannot; written by our
 * registration, and read in place of Weights.Passing.
 */
export const weightKey = "grpc-lb-weight";

/** @throws SyntaxError or TypeError when the text is no list of instances */
export function parseHealthEntries(text: string): readonly HealthEntry[] {
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries)) throw new TypeError("it is no list");
  for (const { Node, Service } of entries.map((entry: unknown) => (entry ?? {}) as Partial<HealthEntry>)) {
    if (typeof Node?.Node !== "string" || typeof Service?.ID !== "string") {
      throw new TypeError("it lists what is no instance");
    }
  }
  return entries as HealthEntry[];
}

/**
 * The instances that can be called, in their order. Their identity is node and service id, as an id is unique on a node
 * alone; an address that several of them name is one endpoint, by whichever has the most weight, else by the first.
 */
export function toEndpoints(entries: readonly HealthEntry[]): Endpoint[] {
  const byAddress = new Map<string, Endpoint>();
  for (const entry of entries) {
    const endpoint = toEndpoint(entry);
    const [address] = endpoint?.addresses ?? [];
    if (!endpoint || !address) continue;
    const key = formatAddress(address);
    const there = byAddress.get(key);
    if (!there || there.weight < endpoint.weight) byAddress.set(key, endpoint);
  }
  return [...byAddress.values()];
}

/** Undefined for what has no port, such as a service that is registered for its checks alone, and for what is no host. */
function toEndpoint(entry: HealthEntry): Endpoint | undefined {
  const { Node: node, Service: service } = entry;
  // "If the service address is empty, use the node's": Service.Address of the same page.
  const host = (service.Address || node.Address || "").replace(/^\[(.*)\]$/, "$1");
  const { Port: port = 0 } = service;
  const isHost = isIP(host) > 0 || isHostName(host);
  if (!isHost || !(Number.isInteger(port) && port >= 1 && port <= 65_535)) return undefined;
  const { [weightKey]: _weight, ...meta } = service.Meta ?? {};
  return {
    id: `${node.Node}/${service.ID}`,
    addresses: [{ host, port }],
    weight: weightOf(entry),
    zone: service.Meta?.zone || node.Meta?.zone || service.Locality?.Zone || node.Locality?.Zone || undefined,
    forZones: [],
    nodeName: node.Node,
    metadata: { serviceId: service.ID, ...meta },
  };
}

/** As Consul's own DNS weighs (findWeight in agent/dns.go): what is critical gets nothing as long as others have more. */
function weightOf({ Service: { Service: name, Weights, Meta }, Checks }: HealthEntry): number {
  const statuses = (Checks ?? [])
    .filter(({ ServiceName }) => ServiceName === undefined || ServiceName === "" || ServiceName === name)
    .map(({ Status }) => Status);
  if (statuses.some((status) => status === "critical" || status === "maintenance")) return 0;
  if (statuses.includes("warning")) return Weights?.Warning ?? 1;
  const exact = Number(Meta?.[weightKey] || Number.NaN);
  return isWeight(exact) ? exact : (Weights?.Passing ?? 1);
}
