import { isIPv6 } from "node:net";
import type { Endpoint } from "../core/snapshot.ts";
import { SortedEndpoints } from "../core/sorted-endpoints.ts";
import { further, isSameMerged, isSamePart, joinParts, type Merged, type Part } from "./endpoint-part.ts";
import { type EndpointSlice, fitnessOf, type Service, type SlicePort } from "./endpoint-slice.ts";
import { FirstPort } from "./first-port.ts";
import { type PortSelector, resolvePort } from "./port.ts";

/** A slice as it was last told, and what it says. */
interface ReadSlice {
  readonly slice: EndpointSlice;
  readonly parts: ReadonlyMap<string, Part>;
  /** Whether it has the port that was asked for; undefined where it has neither the port nor endpoints to miss it. */
  readonly hasPort: boolean | undefined;
}

const noParts: ReadonlyMap<string, Part> = new Map();

/**
 * The EndpointSlices of one service, kept by name, and their union: an endpoint that several slices name (a slice being
 * split, or one slice for IPv4 and one for IPv6) is one endpoint, joined by the uid of its pod. The work of a change is that
 * of the slice which changed, not of the set.
 */
export class EndpointTable {
  readonly #selector: PortSelector;
  readonly #firstPort = new FirstPort();
  readonly #families: readonly string[];
  readonly #slices = new Map<string, ReadSlice>();
  /** How many slices have the port that was asked for, and how many have endpoints without it. */
  readonly #slicesBy = { port: 0, lack: 0 };
  /** Which slices name an endpoint, by its id. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #merged = new Map<string, Merged>();
  readonly #ready = new SortedEndpoints();
  readonly #draining = new SortedEndpoints();
  #service: Service | undefined;

  constructor(selector: PortSelector, preferredFamily: "IPv4" | "IPv6") {
    this.#selector = selector;
    this.#families = preferredFamily === "IPv4" ? ["IPv4", "IPv6"] : ["IPv6", "IPv4"];
  }

  /** The endpoints to use: the ready ones; if there is none, those that drain but still serve (KEP-1669). */
  get endpoints(): readonly Endpoint[] {
    const ready = this.#ready.all;
    return ready.length > 0 ? ready : this.#draining.all;
  }

  /** Whether there are endpoints, fit or not, and no slice has the port that was asked for. */
  get lacksPort(): boolean {
    return this.#slicesBy.port === 0 && this.#slicesBy.lack > 0;
  }

  /** The ports that the slices have, for messages. */
  get ports(): readonly SlicePort[] {
    return [...this.#slices.values()].flatMap(({ slice }) => slice.ports ?? []);
  }

  /** Tells of the Service, which maps its ports to those of the slices; whether the endpoints to use may have changed. */
  setService(service: Service | undefined): boolean {
    this.#service = service;
    return this.#selector.t === "number" && this.#readAll();
  }

  /** Takes a new slice, or the new state of one; whether the endpoints to use may have changed. */
  setSlice(slice: EndpointSlice): boolean {
    return this.#change(slice.metadata.name, slice);
  }

  /** Takes away a slice; endpoints that another slice names too stay. */
  deleteSlice(name: string): boolean {
    return this.#change(name, undefined);
  }

  #change(name: string, next: EndpointSlice | undefined): boolean {
    const isOtherPort = this.#selector.t === "first" && this.#firstPort.replace(this.#slices.get(name)?.slice, next);
    const hasChanged = this.#replace(name, next && this.#readSlice(next));
    return (isOtherPort && this.#readAll()) || hasChanged;
  }

  /** Reads all slices again, as another port is meant. */
  #readAll(): boolean {
    let hasChanged = false;
    for (const [name, { slice }] of [...this.#slices]) {
      if (this.#replace(name, this.#readSlice(slice))) hasChanged = true;
    }
    return hasChanged;
  }

  #readSlice(slice: EndpointSlice): ReadSlice {
    if (slice.addressType === "FQDN") return { slice, parts: noParts, hasPort: undefined }; // deprecated, and nothing can be joined by name
    const selector = this.#selector.t === "first" ? this.#firstPort.selector : this.#selector;
    const port = selector && resolvePort(selector, slice.ports ?? [], this.#service);
    const endpoints = slice.endpoints ?? [];
    if (port === undefined) return { slice, parts: noParts, hasPort: endpoints.length > 0 ? false : undefined };
    const parts = new Map<string, Part>();
    for (const endpoint of endpoints) {
      const host = endpoint.addresses?.[0]; // the API says of the others: clients should use the first only
      const fitness = fitnessOf(endpoint);
      if (host === undefined || fitness === "none") continue;
      const id = endpoint.targetRef?.uid ?? (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`);
      const part: Part = { fitness, family: slice.addressType, host, port, endpoint };
      const twin = parts.get(id);
      parts.set(id, twin ? further(twin, part) : part);
    }
    return { slice, parts, hasPort: true };
  }

  #replace(name: string, next: ReadSlice | undefined): boolean {
    const had = this.#slices.get(name);
    if (next) this.#slices.set(name, next);
    else this.#slices.delete(name);
    this.#countPort(had, -1);
    this.#countPort(next, 1);
    const [before, after] = [had?.parts ?? noParts, next?.parts ?? noParts];
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

  #countPort(slice: ReadSlice | undefined, by: 1 | -1): void {
    if (slice?.hasPort !== undefined) this.#slicesBy[slice.hasPort ? "port" : "lack"] += by;
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
    return parts.length === 0 ? undefined : joinParts(id, parts, this.#families);
  }
}
