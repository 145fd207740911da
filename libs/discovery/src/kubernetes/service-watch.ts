import type { Clock, Random } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import { type ApiAccess, ApiClient } from "./api-client.ts";
import { type Change, ListWatch } from "./list-watch.ts";
import { type EndpointSlice, readService, readSlicesOf, type Service } from "./reader.ts";

/** Which service to watch, and how. */
export interface ServiceWatchOptions {
  readonly access: ApiAccess;
  readonly namespace: string;
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly idleDeadlineMs: number;
}

/** Receives the changes that a ServiceWatch sees, in order. */
export interface ServiceObserver {
  /** A slice was added or changed (`slice` is its new state), or deleted (undefined). */
  onSlice(name: string, slice: EndpointSlice | undefined): void;
  /** The Service or its error changed. */
  onService(): void;
  /**
   * All changes that arrived together were delivered. Not called before all slices were listed.
   *
   * @param isHeard whether the list or watch of the slices has just received this state from the server
   */
  onSettled(isHeard: boolean): void;
  /** Listing or watching the slices failed. */
  onFailure(error: DiscoveryError): void;
  onList(): void;
  onWatch(): void;
}

/** How long the first endpoints wait for the Service, so that they come with its service config. */
const serviceDelayMs = 200;
/** How often the Service is read without the right to watch it. */
const servicePollMs = 30_000;
/** The limits of a request for the Service; a PortView may need the Service before it can publish endpoints. */
const serviceTimeouts = { silenceMs: 5_000, totalMs: 15_000 };

/** The latest state of a service. */
export interface ServiceKnowledge {
  readonly slices: ReadonlyMap<string, EndpointSlice>;
  /** The Service as last read. */
  readonly service: Service | undefined;
  /** The error to report if the Service does not exist; else undefined. */
  readonly notFoundError: DiscoveryError | undefined;
  /** Why the Service cannot be read; undefined if it can. */
  readonly serviceError: DiscoveryError | undefined;
  /** Names a part of a slice that cannot be read; undefined if all slices can be read. */
  readonly defect: DiscoveryError | undefined;
  /** Whether all slices were listed, and the Service was read or took too long. */
  readonly isSynced: boolean;
}

/**
 * Watches the EndpointSlices of one service and the Service itself, for any number of observers. Without the right to list and
 * watch Services, it reads the Service every 30 s, and at once when the slices require it. Without the right to get the Service,
 * the Service's port numbers and its service config are not available.
 */
export class ServiceWatch {
  readonly #options: ServiceWatchOptions;
  readonly #name: string;
  readonly #observers = new Set<ServiceObserver>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** The first defect of each slice that has one. */
  readonly #defects = new Map<string, string>();
  /** The endpoints and ports of all slices. */
  #itemCount = 0;
  /** By name: the slices that were not delivered because an observer threw. */
  readonly #undelivered = new Set<string>();
  readonly #known: { -readonly [K in keyof ServiceKnowledge]: ServiceKnowledge[K] } = {
    slices: this.#slices,
    service: undefined,
    notFoundError: undefined,
    serviceError: undefined,
    defect: undefined,
    isSynced: false,
  };
  /** The latest state, which observers read when they are called. */
  readonly known: ServiceKnowledge = this.#known;
  #hasListed = false;
  #error: DiscoveryError | undefined;
  /** Whether the first endpoints have stopped waiting for the Service. */
  #isServiceDue = false;
  /** Ends the pause between two reads of a Service that cannot be watched. */
  #pollWait: AbortController | undefined;

  constructor(options: ServiceWatchOptions) {
    this.#options = options;
    this.#name = `${options.namespace}/${options.service}`;
  }

  /** Delivers the current state to an observer, and then every change until `detach`. */
  attach(observer: ServiceObserver): void {
    this.#observers.add(observer);
    for (const [name, slice] of this.#slices) observer.onSlice(name, slice);
    if (this.#known.isSynced) observer.onSettled(this.#error === undefined);
    if (this.#error) observer.onFailure(this.#error);
  }

  detach(observer: ServiceObserver): void {
    this.#observers.delete(observer);
  }

  /** Reads the Service again at once, because the known one does not explain the slices. No effect while the Service is watched. */
  refreshService(): void {
    this.#pollWait?.abort();
  }

  /** Watches until `signal` is aborted. All resources are released when it has returned. */
  async run(signal: AbortSignal): Promise<void> {
    const { access, clock, random } = this.#options;
    const api = new ApiClient(access, clock, { background: true });
    const ended = new AbortController();
    const end = () => ended.abort();
    if (signal.aborted) return;
    signal.addEventListener("abort", end, { once: true });
    void clock.sleep(serviceDelayMs, ended.signal, { background: true }).then(() => {
      if (!ended.signal.aborted) this.#endServiceDelay();
    });
    const slices = this.#listWatchOfSlices(api);
    const service = this.#listWatchOfService(api);
    const loops = [
      {
        attempt: (onHealthy: () => void) => slices.attempt(onHealthy, ended.signal),
        onFailure: (cause: unknown) => this.#failSlices(cause as DiscoveryError),
      },
      {
        attempt: (onHealthy: () => void) => this.#attemptService(service, api, onHealthy, ended.signal),
        onFailure: (cause: unknown) => this.#failService(cause as DiscoveryError),
      },
    ];
    try {
      // A loop that throws also ends the other one; the owner of this watch starts both again.
      await Promise.all(loops.map((loop) => runWithRestarts({ ...loop, clock, random }, ended.signal).finally(end)));
    } finally {
      signal.removeEventListener("abort", end);
      api.close();
    }
  }

  #listWatchOfSlices(api: ApiClient): ListWatch<EndpointSlice> {
    const { namespace, service, clock, random, idleDeadlineMs } = this.#options;
    const options = {
      api,
      path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
      selector: `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${service}`)}`,
      listKind: "EndpointSliceList",
      read: readSlicesOf(service),
      subject: `endpointslices ${this.#name}`,
      clock,
      random,
      idleDeadlineMs,
    };
    return new ListWatch(options, {
      onList: (items) => this.#replaceSlices(items),
      onChanges: (changes) => this.#applySlices(changes),
      onWatch: () => {
        for (const observer of this.#observers) observer.onWatch();
      },
      needsConfirmation: (items, before) => isSharplyShorter(this.#slices.values(), items, before),
    });
  }

  #listWatchOfService(api: ApiClient): ListWatch<Service> {
    const { namespace, service, clock, random, idleDeadlineMs } = this.#options;
    const options = {
      api,
      path: `/api/v1/namespaces/${namespace}/services`,
      selector: `fieldSelector=${encodeURIComponent(`metadata.name=${service}`)}`,
      listKind: "ServiceList",
      read: readService,
      subject: `services ${this.#name}`,
      clock,
      random,
      idleDeadlineMs,
      listTimeouts: serviceTimeouts,
    };
    return new ListWatch(options, {
      onList: (items) => this.#setService(this.#ownOf(items)),
      onChanges: (changes) => {
        const own = this.#ownOf(changes.map(({ object }) => object));
        const last = changes.findLast(({ object }) => object === own);
        if (last) this.#setService(last.type === "DELETED" ? undefined : last.object);
        else if (this.#known.serviceError && this.#known.service) this.#setService(this.#known.service);
      },
      onWatch() {},
    });
  }

  // ── The slices

  #replaceSlices(items: readonly EndpointSlice[]): void {
    const names = new Set(items.map(({ name }) => name));
    // A new slice of which no endpoint can be read may stand for one that is gone.
    const isReadable = items.every(({ name, defect, endpoints }) => {
      return defect === undefined || endpoints.length > 0 || this.#slices.get(name)?.endpoints.length;
    });
    const gone = isReadable ? [...this.#slices.values()].filter(({ name }) => !names.has(name)) : [];
    for (const name of this.#undelivered) if (!this.#slices.has(name) && !names.has(name)) gone.push(noSlice(name));
    this.#hasListed = true;
    for (const observer of this.#observers) observer.onList();
    this.#applySlices([
      ...gone.map((object) => ({ type: "DELETED", object }) as const),
      ...items.map((object) => ({ type: "MODIFIED", object }) as const),
    ]);
  }

  /** If an observer throws, the others still receive the slice, and the next list repeats it. */
  #applySlices(changes: readonly Change<EndpointSlice>[]): void {
    const had = this.#slices.size;
    let added = 0;
    for (const { object } of changes) added += object.endpoints.length + object.ports.length;
    if (had + changes.length > limits.slices || this.#itemCount + added > limits.items) this.#requireBounded(changes);
    let failure: { readonly cause: unknown } | undefined;
    for (const { type, object } of changes) {
      const { name, resourceVersion, defect } = object;
      const known = this.#slices.get(name);
      const isKnown = resourceVersion !== undefined && known?.resourceVersion === resourceVersion;
      if (type !== "DELETED" && isKnown && !this.#undelivered.has(name)) continue;
      const next = type === "DELETED" ? undefined : defect === undefined ? object : withLastGood(object, known);
      if (next) this.#slices.set(name, next);
      else this.#slices.delete(name);
      if (next) this.#itemCount += next.endpoints.length + next.ports.length;
      if (known) this.#itemCount -= known.endpoints.length + known.ports.length;
      if (defect !== undefined || this.#defects.size > 0)
        this.#noteDefect(name, type === "DELETED" ? undefined : defect);
      this.#undelivered.delete(name);
      for (const observer of this.#observers) {
        try {
          observer.onSlice(name, this.#slices.get(name));
        } catch (cause) {
          failure ??= { cause };
          this.#undelivered.add(name);
        }
      }
    }
    this.#error = undefined;
    this.#known.isSynced ||= this.#hasListed && (this.#isServiceDue || this.#hasServiceAnswer);
    // The first slice is created together with its Service, and the last one is deleted together with it.
    if ((had === 0) !== (this.#slices.size === 0)) this.refreshService();
    if (this.#known.isSynced) for (const observer of this.#observers) observer.onSettled(true);
    if (failure) throw failure.cause;
  }

  /** @throws DiscoveryError when there would be too much to hold; the known slices stay, and the next attempt lists */
  #requireBounded(changes: readonly Change<EndpointSlice>[]): void {
    let [slices, items] = [this.#slices.size, this.#itemCount];
    for (const { type, object } of changes) {
      const known = this.#slices.get(object.name);
      if (known) slices -= 1;
      // What of a slice cannot be read is completed by what is known of it.
      if (known && (type === "DELETED" || object.defect === undefined)) items -= sizeOf(known);
      if (type === "DELETED") continue;
      slices += 1;
      items += sizeOf(object);
    }
    if (slices <= limits.slices && items <= limits.items) return;
    const message = `kubernetes: endpointslices ${this.#name}: more than ${limits.slices} slices or ${limits.items} endpoints and ports`;
    throw new DiscoveryError("unavailable", message);
  }

  #noteDefect(name: string, defect: string | undefined): void {
    if (defect === undefined) this.#defects.delete(name);
    else this.#defects.set(name, defect);
    const [first] = this.#defects;
    if (!first) this.#known.defect = undefined;
    else {
      const others = this.#defects.size > 1 ? `, and ${this.#defects.size - 1} more` : "";
      const message = `kubernetes: endpointslice ${this.#options.namespace}/${first[0]}: ${first[1]}${others}`;
      this.#known.defect = new DiscoveryError("invalid", message);
    }
  }

  #failSlices(error: DiscoveryError): DiscoveryError {
    this.#error = error;
    if (this.#hasListed) this.#endServiceDelay(); // so that the known slices are published with the error
    for (const observer of this.#observers) observer.onFailure(error);
    return error;
  }

  // ── The Service

  async #attemptService(
    service: ListWatch<Service>,
    api: ApiClient,
    onHealthy: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await service.attempt(onHealthy, signal);
    } catch (cause) {
      if ((cause as DiscoveryError).status !== 403) throw cause;
      const wait = new AbortController();
      const end = () => wait.abort();
      signal.addEventListener("abort", end, { once: true });
      this.#pollWait = wait; // set before the read: its answer may be older than an event that arrives during the read
      try {
        await this.#readService(api, signal);
        onHealthy();
        await this.#options.clock.sleep(servicePollMs, wait.signal, { background: true });
      } finally {
        this.#pollWait = undefined;
        signal.removeEventListener("abort", end);
      }
    }
  }

  /** Gets the Service, for clients without the right to list and watch it. */
  async #readService(api: ApiClient, signal: AbortSignal): Promise<void> {
    const { namespace, service } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/services/${service}`;
    const request = { path, what: `get service ${this.#name}`, signal, ...serviceTimeouts };
    let found: Service | undefined;
    try {
      found = await api.get(request, readService);
    } catch (cause) {
      if ((cause as DiscoveryError).status !== 404) throw cause;
    }
    if (!signal.aborted) this.#setService(found && this.#ownOf([found]));
  }

  /** The last that is the Service itself. @throws DiscoveryError when there are only others: the answer is not about it */
  #ownOf(services: readonly Service[]): Service | undefined {
    const own = services.findLast(({ name }) => name === this.#options.service);
    if (own || services.length === 0) return own;
    const [{ name, defect }] = services as [Service];
    const reason = name === "" ? defect : `the answer is about the Service ${name.slice(0, 100)}`;
    throw new DiscoveryError("invalid", `kubernetes: service ${this.#name}: ${reason}`);
  }

  #setService(service: Service | undefined): void {
    const before = this.#known.service;
    // What of it cannot be read stays as it was.
    this.#known.service = service?.defect !== undefined && before ? { ...before, defect: service.defect } : service;
    this.#known.serviceError =
      service?.defect === undefined
        ? undefined
        : new DiscoveryError("invalid", `kubernetes: service ${this.#name}: ${service.defect}`);
    this.#known.notFoundError = service
      ? undefined
      : new DiscoveryError("notFound", `kubernetes: service ${this.#name}: there is no such Service`, { status: 404 });
    this.#settleService();
  }

  /** Keeps the last good Service, but not the error that it does not exist: it may exist by now. */
  #failService(error: DiscoveryError): DiscoveryError {
    this.#known.serviceError = error;
    this.#known.notFoundError = undefined;
    this.#settleService();
    return error;
  }

  get #hasServiceAnswer(): boolean {
    const { service, notFoundError, serviceError } = this.#known;
    return (service ?? notFoundError ?? serviceError) !== undefined;
  }

  #settleService(): void {
    const isFirst = this.#hasListed && !this.#known.isSynced; // the first list of the slices was waiting for the Service
    this.#known.isSynced ||= this.#hasListed;
    for (const observer of this.#observers) observer.onService();
    if (!this.#known.isSynced) return;
    for (const observer of this.#observers) observer.onSettled(isFirst && this.#error === undefined);
  }

  #endServiceDelay(): void {
    if (this.#isServiceDue) return;
    this.#isServiceDue = true;
    if (!this.#hasListed || this.#known.isSynced) return;
    this.#known.isSynced = true;
    for (const observer of this.#observers) observer.onSettled(this.#error === undefined);
  }
}

/** More than any service has; a server that sends more is at fault. */
const limits = { slices: 10_000, items: 100_000 };

const sizeOf = ({ endpoints, ports }: EndpointSlice) => endpoints.length + ports.length;

/** The readable part of a slice, completed by its last good state. */
function withLastGood(slice: EndpointSlice, known = noSlice(slice.name)): EndpointSlice {
  const { notReady = [], ...rest } = slice;
  const hosts = new Set([...slice.endpoints.map(({ host }) => host), ...notReady]);
  const names = new Set(slice.ports.map(({ name }) => name));
  return {
    ...rest,
    addressType: slice.endpoints.length > 0 ? slice.addressType : known.addressType,
    endpoints: [...slice.endpoints, ...known.endpoints.filter(({ host }) => !hosts.has(host))],
    ports: [...slice.ports, ...known.ports.filter(({ name }) => !names.has(name))],
  };
}

/** Stands for a deleted slice whose deletion an observer has not received. */
function noSlice(name: string): EndpointSlice {
  return { name, resourceVersion: undefined, defect: undefined, addressType: "IPv4", endpoints: [], ports: [] };
}

/**
 * Whether a list has half of the known endpoints or fewer, as after a failed deployment, or if an API server returns only a part.
 *
 * @param before the previous list, if it was so short; a list with no fewer endpoints confirms it
 */
export function isSharplyShorter(
  known: Iterable<EndpointSlice>,
  listed: Iterable<EndpointSlice>,
  before?: Iterable<EndpointSlice>,
): boolean {
  const count = (slices: Iterable<EndpointSlice>) => {
    let sum = 0;
    for (const { endpoints } of slices) sum += endpoints.length;
    return sum;
  };
  const [had, has] = [count(known), count(listed)];
  return had >= 2 && has <= had / 2 && !(before && has >= count(before));
}
