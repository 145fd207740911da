import { canonicalHost, formatAddress } from "../core/address.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import { describeNoEndpoints, describePortNotFound } from "./no-endpoints.ts";
import { type FixedPort, mostCommonPort, type PortSelector, resolvePort } from "./port.ts";
import type { EndpointSlice } from "./reader.ts";
import type { ServiceObserver, ServiceWatch } from "./service-watch.ts";
import { isSameEntry, laterInLifecycle, mergeEntries, type SliceEntry } from "./slice-entry.ts";

/** The annotation of a Service that contains its gRPC service config. */
export const serviceConfigAnnotation = "grpc-lb.dev/service-config";

/** The entries of a slice at one port. */
interface SliceEntries {
  readonly entries: ReadonlyMap<string, SliceEntry>;
  /** Whether the slice has the port; undefined if it has neither the port nor endpoints that need it. */
  readonly hasPort: boolean | undefined;
}

/** How long the last endpoints are kept after the Service has stopped mapping the port: the slices may change a moment later. */
const mappingGraceMs = 1_000;

/** The part of a ServiceWatch that a PortView uses. */
type Watched = Pick<ServiceWatch, "known" | "refreshService">;

const noEntries: ReadonlyMap<string, SliceEntry> = new Map();

/**
 * Pushes the endpoints of one service at one port into a store. If a pod is in several slices, its entries are merged by its uid: a
 * dual-stack pod is in an IPv4 and an IPv6 slice, and any pod may be in two slices while one is being split. The work of an event
 * grows with the changed slice, not with the set.
 */
export class PortView implements ServiceObserver {
  readonly #watch: Watched;
  readonly #store: SnapshotStore;
  readonly #port: PortSelector;
  readonly #families: readonly string[];
  readonly #onUnmapped: (ms: number) => void;
  readonly #bySlice = new Map<string, SliceEntries>();
  /** By the id of an endpoint: the names of the slices that contain it, sorted. */
  readonly #slicesOf = new Map<string, readonly string[]>();
  /** The port in use; undefined while no slice has one. */
  #fixedPort: FixedPort | undefined;
  #wasMapped = false;
  #isGraceOver = false;

  /** @param options.onUnmapped called when a grace period begins; it must call `endGrace` after the given milliseconds */
  constructor(
    watch: Watched,
    store: SnapshotStore,
    options: {
      readonly port: PortSelector;
      readonly preferredFamily: "IPv4" | "IPv6";
      readonly onUnmapped: (ms: number) => void;
    },
  ) {
    this.#watch = watch;
    this.#store = store;
    this.#port = options.port;
    this.#fixedPort = options.port.t === "mostCommon" ? undefined : options.port;
    this.#families = options.preferredFamily === "IPv4" ? ["IPv4", "IPv6"] : ["IPv6", "IPv4"];
    this.#onUnmapped = options.onUnmapped;
  }

  onSlice(name: string, slice: EndpointSlice | undefined): void {
    this.#store.events += 1;
    if (this.#port.t !== "mostCommon") this.#replace(name, slice);
    else {
      const port = mostCommonPort(this.#watch.known.slices.values());
      const isOther =
        port?.t !== this.#fixedPort?.t || (port?.t === "name" && port.name !== (this.#fixedPort as typeof port).name);
      this.#fixedPort = port;
      if (!isOther) this.#replace(name, slice);
      else
        for (const each of new Set([name, ...this.#bySlice.keys(), ...this.#watch.known.slices.keys()]))
          this.#replace(each, this.#watch.known.slices.get(each));
    }
  }

  onService(): void {
    if (this.#port.t !== "number") return;
    for (const [name, slice] of this.#watch.known.slices) this.#replace(name, slice);
  }

  onList(): void {
    this.#store.lists += 1;
  }

  onWatch(): void {
    this.#store.watches += 1;
  }

  onFailure(error: DiscoveryError): void {
    this.#store.fail(error);
  }

  onSettled(isHeard: boolean): void {
    const { service, serviceError, defect } = this.#watch.known;
    let problem = defect;
    if (this.#store.endpoints.all.length === 0) {
      const lacksPort = this.#lacksPort;
      // The number may be a port of the Service, and only the Service maps that to a target port.
      if (lacksPort && this.#port.t === "number" && this.#isMappingExpected) return;
      // What cannot be read may be what is missing.
      problem ??= lacksPort
        ? describePortNotFound(this.#store.subject, this.#port, this.#watch.known)
        : describeNoEndpoints(this.#store.subject, this.#watch.known);
    } else [this.#wasMapped, this.#isGraceOver] = [true, false];
    const serviceConfig = service?.annotations[serviceConfigAnnotation];
    if (isHeard) this.#store.sync({ problem, serviceConfig, serviceConfigError: serviceError });
    else this.#store.update({ problem, serviceConfig, serviceConfigError: serviceError });
  }

  /** Ends the grace period: a port that is not mapped becomes an error. */
  endGrace(): void {
    this.#isGraceOver = true;
    this.onSettled(false);
  }

  /** Whether the Service may still map the port: before its first answer, and during a grace period, which this begins. */
  get #isMappingExpected(): boolean {
    const { service, notFoundError, serviceError } = this.#watch.known;
    if ((service ?? notFoundError ?? serviceError) === undefined) return true;
    if (!this.#wasMapped || this.#isGraceOver) return false;
    this.#wasMapped = false;
    this.#onUnmapped(mappingGraceMs);
    this.#watch.refreshService();
    return true;
  }

  /** Whether there are endpoints, ready or not, and no slice has the port. */
  get #lacksPort(): boolean {
    let lacks = false;
    for (const { hasPort } of this.#bySlice.values()) {
      if (hasPort) return false;
      if (hasPort === false) lacks = true;
    }
    return lacks;
  }

  #replace(name: string, slice: EndpointSlice | undefined): void {
    const before = this.#bySlice.get(name)?.entries ?? noEntries;
    const next = slice && this.#entriesOf(slice);
    if (next) this.#bySlice.set(name, next);
    else this.#bySlice.delete(name);
    const after = next?.entries ?? noEntries;
    for (const id of before.keys()) {
      if (after.has(id)) continue;
      const others = (this.#slicesOf.get(id) ?? []).filter((each) => each !== name);
      if (others.length > 0) this.#slicesOf.set(id, others);
      else this.#slicesOf.delete(id);
      this.#merge(id);
    }
    for (const [id, entry] of after) {
      const known = before.get(id);
      if (known && isSameEntry(known, entry)) continue; // true for most entries of a slice when one pod changes
      if (!known) this.#slicesOf.set(id, [...(this.#slicesOf.get(id) ?? []), name].sort());
      this.#merge(id);
    }
  }

  #entriesOf(slice: EndpointSlice): SliceEntries {
    const { endpoints, addressType: family } = slice;
    // FQDN slices are deprecated and not supported: a host name does not identify one endpoint.
    if (family === "FQDN") return { entries: noEntries, hasPort: undefined };
    const port = this.#fixedPort && resolvePort(this.#fixedPort, slice.ports, this.#watch.known.service);
    if (port === undefined) return { entries: noEntries, hasPort: endpoints.length > 0 ? false : undefined };
    const entries = new Map<string, SliceEntry>();
    for (const endpoint of endpoints) {
      const host = family === "IPv6" ? canonicalHost(endpoint.host) : endpoint.host;
      const id = endpoint.uid ?? formatAddress({ host, port });
      const entry = { endpoint, family, host, port };
      const existing = entries.get(id);
      entries.set(id, existing ? laterInLifecycle(existing, entry) : entry);
    }
    return { entries, hasPort: true };
  }

  /** Merges the entries of all slices for one endpoint. */
  #merge(id: string): void {
    const entries: SliceEntry[] = [];
    for (const name of this.#slicesOf.get(id) ?? []) {
      const entry = this.#bySlice.get(name)?.entries.get(id);
      if (entry) entries.push(entry);
    }
    const merged = entries.length > 0 ? mergeEntries(id, entries, this.#families) : undefined;
    if (merged) this.#store.endpoints.set(merged.endpoint, merged);
    else this.#store.endpoints.delete(id);
  }
}
