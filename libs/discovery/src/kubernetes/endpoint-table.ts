import { isIPv6 } from "node:net";
import type { Endpoint } from "../snapshot.ts";
import { SortedEndpoints } from "../sorted-endpoints.ts";
import {
  type EndpointSlice,
  type Fitness,
  fitnessOf,
  type Service,
  type SliceEndpoint,
  type SlicePort,
} from "./endpoint-slice.ts";
import { type PortSelector, resolvePort } from "./port.ts";

/** What one slice says of one endpoint. */
interface Part {
  readonly fitness: Fitness;
  readonly family: EndpointSlice["addressType"];
  readonly host: string;
  readonly port: number;
  readonly endpoint: SliceEndpoint;
}

/** An endpoint as it was last published. */
interface Merged {
  readonly fitness: Fitness;
  readonly endpoint: Endpoint;
}

/**
 * The EndpointSlices of one service, kept by name, and their union: an endpoint that several slices name (a slice being
 * split, or one slice for IPv4 and one for IPv6) is one endpoint, joined by the uid of its pod. The work of a change is that
 * of the slice which changed, not of the set.
 */
export class EndpointTable {
  readonly #selector: PortSelector;
  readonly #families: readonly string[];
  readonly #slices = new Map<string, { readonly parts: Map<string, Part>; readonly ports: readonly SlicePort[] }>();
  /** Which slices name an endpoint, by its id. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #merged = new Map<string, Merged>();
  readonly #ready = new SortedEndpoints();
  readonly #draining = new SortedEndpoints();
  #service: Service | undefined;
  /** Endpoints named by slices that have no such port. */
  #portless = new Map<string, number>();

  constructor(selector: PortSelector, preferredFamily: "IPv4" | "IPv6") {
    this.#selector = selector;
    this.#families = preferredFamily === "IPv4" ? ["IPv4", "IPv6"] : ["IPv6", "IPv4"];
  }

  /** The endpoints to use: the ready ones; if there is none, those that drain but still serve (KEP-1669). */
  get endpoints(): readonly Endpoint[] {
    const ready = this.#ready.all;
    return ready.length > 0 ? ready : this.#draining.all;
  }

  /** Whether there are endpoints, and all of them are in slices without the port that was asked for. */
  get lacksPort(): boolean {
    return this.#merged.size === 0 && this.#portless.size > 0;
  }

  /** The ports that the slices have, for messages. */
  get ports(): readonly SlicePort[] {
    return [...this.#slices.values()].flatMap(({ ports }) => ports);
  }

  /** The names of the slices there are. */
  get sliceNames(): readonly string[] {
    return [...this.#slices.keys()];
  }

  /** Tells of the Service, which maps its ports to those of the slices that are set from now on. */
  setService(service: Service | undefined): void {
    this.#service = service;
  }

  /** Takes a new slice, or the new state of one; whether the endpoints to use may have changed. */
  setSlice(slice: EndpointSlice): boolean {
    const { name } = slice.metadata;
    const ports = slice.ports ?? [];
    const { parts, portless } = this.#readSlice(slice, ports);
    if (portless > 0) this.#portless.set(name, portless);
    else this.#portless.delete(name);
    return this.#replace(name, { parts, ports });
  }

  /** Takes away a slice; endpoints that another slice names too stay. */
  deleteSlice(name: string): boolean {
    this.#portless.delete(name);
    return this.#replace(name, undefined);
  }

  #readSlice(slice: EndpointSlice, ports: readonly SlicePort[]): { parts: Map<string, Part>; portless: number } {
    const parts = new Map<string, Part>();
    if (slice.addressType === "FQDN") return { parts, portless: 0 }; // deprecated, and nothing can be joined by name
    const port = resolvePort(this.#selector, ports, this.#service);
    const endpoints = slice.endpoints ?? [];
    if (port === undefined) return { parts, portless: endpoints.length };
    for (const endpoint of endpoints) {
      const host = endpoint.addresses?.[0]; // the API says of the others: clients should use the first only
      const fitness = fitnessOf(endpoint);
      if (host === undefined || fitness === "none") continue;
      const id = endpoint.targetRef?.uid ?? (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`);
      if (fitness === "draining" && parts.has(id)) continue;
      parts.set(id, { fitness, family: slice.addressType, host, port, endpoint });
    }
    return { parts, portless: 0 };
  }

  #replace(name: string, next: { parts: Map<string, Part>; ports: readonly SlicePort[] } | undefined): boolean {
    const before = this.#slices.get(name)?.parts ?? new Map<string, Part>();
    if (next) this.#slices.set(name, next);
    else this.#slices.delete(name);
    const after = next?.parts ?? new Map<string, Part>();
    let hasChanged = false;
    for (const id of before.keys()) {
      if (after.has(id)) continue;
      const holders = this.#holders.get(id);
      holders?.delete(name);
      if (holders?.size === 0) this.#holders.delete(id);
      if (this.#merge(id)) hasChanged = true;
    }
    for (const [id, part] of after) {
      const known = before.get(id);
      if (known && isSamePart(known, part)) continue; // most of a slice, when one pod of it changes
      const holders = this.#holders.get(id);
      if (holders) holders.add(name);
      else this.#holders.set(id, new Set([name]));
      if (this.#merge(id)) hasChanged = true;
    }
    return hasChanged;
  }

  /** Joins what the slices say of one endpoint; whether that is news. */
  #merge(id: string): boolean {
    const before = this.#merged.get(id);
    const next = this.#join(id);
    if (before === next || (before && next && isSameMerged(before, next))) return false;
    if (before) (before.fitness === "ready" ? this.#ready : this.#draining).delete(id);
    if (next) {
      this.#merged.set(id, next);
      (next.fitness === "ready" ? this.#ready : this.#draining).set(next.endpoint);
    } else {
      this.#merged.delete(id);
    }
    return true;
  }

  #join(id: string): Merged | undefined {
    const names = [...(this.#holders.get(id) ?? [])].sort();
    const parts = names.map((name) => this.#slices.get(name)?.parts.get(id)).filter((part) => part !== undefined);
    const isReady = parts.some(({ fitness }) => fitness === "ready");
    const fit = parts.filter(({ fitness }) => (fitness === "ready") === isReady);
    // One address of each family: two slices can name the same one for a moment.
    const perFamily = this.#families.map((wanted) => fit.find(({ family }) => family === wanted));
    const chosen = perFamily.filter((part) => part !== undefined);
    const [first] = chosen;
    if (!first) return undefined;
    const { targetRef, zone, nodeName, hints } = first.endpoint;
    const endpoint: Endpoint = {
      id,
      addresses: chosen.map(({ host, port }) => ({ host, port })),
      weight: 1,
      zone: zone ?? undefined,
      forZones: (hints?.forZones ?? []).map(({ name }) => name),
      nodeName: nodeName ?? undefined,
      metadata: targetRef?.name === undefined ? {} : { podName: targetRef.name },
    };
    return { fitness: first.fitness, endpoint };
  }
}

/** Whether two states of a slice say the same of an endpoint. */
function isSamePart(a: Part, b: Part): boolean {
  return (
    a.fitness === b.fitness &&
    a.family === b.family &&
    a.host === b.host &&
    a.port === b.port &&
    a.endpoint.zone === b.endpoint.zone &&
    a.endpoint.nodeName === b.endpoint.nodeName &&
    a.endpoint.targetRef?.name === b.endpoint.targetRef?.name &&
    isSameList(a.endpoint.hints?.forZones ?? [], b.endpoint.hints?.forZones ?? [], (x, y) => x.name === y.name)
  );
}

/** Whether an endpoint may stay the object it was. */
function isSameMerged(a: Merged, b: Merged): boolean {
  return (
    a.fitness === b.fitness &&
    a.endpoint.zone === b.endpoint.zone &&
    a.endpoint.nodeName === b.endpoint.nodeName &&
    a.endpoint.metadata.podName === b.endpoint.metadata.podName &&
    isSameList(a.endpoint.addresses, b.endpoint.addresses, (x, y) => x.host === y.host && x.port === y.port) &&
    isSameList(a.endpoint.forZones, b.endpoint.forZones, (x, y) => x === y)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((item, i) => isSame(item, b[i] as T));
}
