import type { Clock, Random } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import { type ApiAccess, ApiClient } from "./api-client.ts";
import { type Change, ListWatch } from "./list-watch.ts";
import { type EndpointSlice, readEndpointSlice, readService, type Service } from "./reader.ts";

/** Which service to watch, and how. */
export interface ServiceWatchOptions {
  readonly access: ApiAccess;
  readonly namespace: string;
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly idleDeadlineMs: number;
}

/** Receives what a ServiceWatch learns, in order. */
export interface ServiceObserver {
  /** A slice came, changed (its new state) or went (undefined). */
  onSlice(name: string, slice: EndpointSlice | undefined): void;
  /** What is known of the Service changed. */
  onService(): void;
  /**
   * What was received so far belongs together; not called before all slices were seen. `isHeard` when it came from the server
   * just now by the watch of the slices.
   */
  onSettled(isHeard: boolean): void;
  /** The slices cannot be watched at the moment. */
  onFailure(error: DiscoveryError): void;
  onList(): void;
  onWatch(): void;
}

/** The first endpoints come with the Service's config, but a slow answer for the Service does not delay them for longer. */
const serviceDelayMs = 200;
/** How often a Service is read that may be read and not watched. */
const servicePollMs = 30_000;
/** A view that needs the Service for its port does not wait longer for it. */
const serviceTimeouts = { silenceMs: 5_000, totalMs: 15_000 };

/** What is known of a service. */
export interface ServiceKnowledge {
  readonly slices: ReadonlyMap<string, EndpointSlice>;
  /** The Service as it was last seen. */
  readonly service: Service | undefined;
  /** The error of a Service that does not exist. */
  readonly absence: DiscoveryError | undefined;
  /** Why the Service cannot be read at the moment. */
  readonly serviceError: DiscoveryError | undefined;
  /** Which part of a slice cannot be read; undefined when all can. */
  readonly defect: DiscoveryError | undefined;
  /** Whether all slices were seen, and the Service too unless that takes too long. */
  readonly isSynced: boolean;
}

/**
 * Watches the EndpointSlices of one service, and the Service itself, for however many observers. Without the right to list and
 * watch Services it reads the Service every 30 s, and when the slices call for it; without the right to read it, there is
 * no mapping of the Service's port numbers, no service config of its own.
 */
export class ServiceWatch {
  readonly #options: ServiceWatchOptions;
  readonly #name: string;
  readonly #observers = new Set<ServiceObserver>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** The first defect of each slice that has one. */
  readonly #defects = new Map<string, string>();
  /** The slices that an observer could not take. */
  readonly #undelivered = new Set<string>();
  readonly #known: { -readonly [K in keyof ServiceKnowledge]: ServiceKnowledge[K] } = {
    slices: this.#slices,
    service: undefined,
    absence: undefined,
    serviceError: undefined,
    defect: undefined,
    isSynced: false,
  };
  /** For observers, which read it whenever they are called. */
  readonly known: ServiceKnowledge = this.#known;
  #hasListed = false;
  #error: DiscoveryError | undefined;
  /** Whether the first endpoints no longer wait for the Service. */
  #isServiceDue = false;
  /** Ends the wait for the next reading of a Service that cannot be watched. */
  #pollWait: AbortController | undefined;

  constructor(options: ServiceWatchOptions) {
    this.#options = options;
    this.#name = `${options.namespace}/${options.service}`;
  }

  /** Shows what is known to an observer, and from now on all that comes. */
  attach(observer: ServiceObserver): void {
    this.#observers.add(observer);
    for (const [name, slice] of this.#slices) observer.onSlice(name, slice);
    if (this.#known.isSynced) observer.onSettled(this.#error === undefined);
    if (this.#error) observer.onFailure(this.#error);
  }

  detach(observer: ServiceObserver): void {
    this.#observers.delete(observer);
  }

  /** Reads the Service again at once because the known one does not explain the slices. No effect while it is watched. */
  refreshService(): void {
    this.#pollWait?.abort();
  }

  /** Watches until `signal` is aborted; when it has returned, nothing is left. */
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
      // A loop that throws ends the other one, too: the owner of this watch starts both again.
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
      read: readEndpointSlice,
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
      onList: ([found]) => this.#setService(found),
      onChanges: (changes) => {
        const last = changes.at(-1);
        if (last) this.#setService(last.type === "DELETED" ? undefined : last.object);
        else if (this.#known.serviceError && this.#known.service) this.#setService(this.#known.service);
      },
      onWatch() {},
    });
  }

  // ── The slices

  #replaceSlices(items: readonly EndpointSlice[]): void {
    const names = new Set(items.map(({ name }) => name));
    const gone = [...this.#slices.values()].filter(({ name }) => !names.has(name));
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
    let failure: { readonly cause: unknown } | undefined;
    for (const { type, object } of changes) {
      const { name, resourceVersion, defect } = object;
      const known = this.#slices.get(name);
      const isKnown = resourceVersion !== undefined && known?.resourceVersion === resourceVersion;
      if (type === "DELETED") this.#slices.delete(name);
      else if (isKnown && !this.#undelivered.has(name)) continue;
      else this.#slices.set(name, known && defect !== undefined ? withLastGood(object, known) : object);
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
    // The last slice goes with its Service, and the first one comes with it.
    if ((had === 0) !== (this.#slices.size === 0)) this.refreshService();
    if (this.#known.isSynced) for (const observer of this.#observers) observer.onSettled(true);
    if (failure) throw failure.cause;
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
    if (this.#hasListed) this.#endServiceDelay(); // publish what is known with the error
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
      await this.#readService(api, signal);
      onHealthy();
      const wait = new AbortController();
      const end = () => wait.abort();
      signal.addEventListener("abort", end, { once: true });
      this.#pollWait = wait;
      await this.#options.clock.sleep(servicePollMs, wait.signal, { background: true });
      this.#pollWait = undefined;
      signal.removeEventListener("abort", end);
    }
  }

  /** Gets the Service, for clients that may not list and watch it. */
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
    if (!signal.aborted) this.#setService(found);
  }

  #setService(service: Service | undefined): void {
    if (service?.defect !== undefined && service.name === "") {
      this.#failService(new DiscoveryError("invalid", `kubernetes: service ${this.#name}: ${service.defect}`));
      return;
    }
    this.#known.service = service;
    this.#known.serviceError = undefined;
    this.#known.absence = service
      ? undefined
      : new DiscoveryError("notFound", `kubernetes: service ${this.#name}: there is no such Service`, { status: 404 });
    this.#settleService();
  }

  /** Keeps the last good Service. That it does not exist may no longer be true. */
  #failService(error: DiscoveryError): DiscoveryError {
    this.#known.serviceError = error;
    this.#known.absence = undefined;
    this.#settleService();
    return error;
  }

  get #hasServiceAnswer(): boolean {
    const { service, absence, serviceError } = this.#known;
    return (service ?? absence ?? serviceError) !== undefined;
  }

  #settleService(): void {
    const isFirst = this.#hasListed && !this.#known.isSynced; // then the list of the slices has just come
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

/** The readable part of a slice, completed by its last good state. */
function withLastGood(slice: EndpointSlice, known: EndpointSlice): EndpointSlice {
  const hosts = new Set(slice.endpoints.map(({ host }) => host));
  return {
    ...slice,
    addressType: slice.endpoints.length > 0 ? slice.addressType : known.addressType,
    endpoints: [...slice.endpoints, ...known.endpoints.filter(({ host }) => !hosts.has(host))],
    ports: slice.ports.length > 0 ? slice.ports : known.ports,
  };
}

/** Stands for a deleted slice whose deletion an observer has not received. */
function noSlice(name: string): EndpointSlice {
  return { name, resourceVersion: undefined, defect: undefined, addressType: "IPv4", endpoints: [], ports: [] };
}

/**
 * Whether a list has half of the known endpoints or fewer: a deploy gone wrong, or an API server that answers with a part.
 *
 * @param before the list before this one, which was that short: unless this one is shorter still, it confirms it
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
