import type { Endpoint } from "@grpc-lb/discovery";
import {
  clusterResource,
  createResource,
  listenerResource,
  type Reference,
  type Resource,
  routeResource,
  typeUrls,
} from "@grpc-lb/xds/cache";
import type { Backend, Config, Service, Split } from "../config/config.ts";
import { encodeAssignment } from "../resources/assignment.ts";
import type { ClientKind } from "../resources/client-kind.ts";
import { buildCluster } from "../resources/cluster.ts";
import { type BuiltEndpoints, buildEndpoints, type ServiceEndpoints } from "../resources/endpoints.ts";
import { buildListener } from "../resources/listener.ts";
import { mergeSplit } from "../resources/merge-split.ts";
import { buildRoutes } from "../resources/route.ts";
import { type SourceEndpoints, selectSources } from "./select-sources.ts";
import type { WatchedSources } from "./watched-sources.ts";

/** The last good endpoints of a service. */
interface Served {
  readonly sources: readonly SourceEndpoints[];
  readonly endpoints: readonly Endpoint[];
  readonly built: ServiceEndpoints;
  readonly resources: Readonly<Record<ClientKind, Resource>>;
}

/** What clients of a kind get. */
export interface KindResources {
  readonly resources: readonly Resource[];
  /** The endpoints of splits, for clients that read no routes. */
  readonly merged: readonly Resource[];
}

/** The endpoints of each service, and the resources that they and the configuration make. */
export class ServiceResources {
  readonly #sources: Pick<WatchedSources, "snapshot" | "isOverdue">;
  readonly #served = new Map<string, Served>();
  readonly #factors = new Map<string, ReadonlyMap<string, number>>();
  #config: Config = { services: new Map() };

  constructor(sources: Pick<WatchedSources, "snapshot" | "isOverdue">) {
    this.#sources = sources;
  }

  get config(): Config {
    return this.#config;
  }

  /** Takes another configuration; endpoints stay until they are renewed, or their service has left. */
  setConfig(config: Config): void {
    this.#config = config;
    for (const name of [...this.#served.keys(), ...this.#factors.keys()]) {
      if (config.services.get(name)?.backend.t === "backend") continue;
      this.#served.delete(name);
      this.#factors.delete(name);
    }
  }

  /** Multiplies the weights of a service's endpoints, by id, when it is renewed the next time. */
  setFactors(name: string, factors: ReadonlyMap<string, number>): void {
    this.#factors.set(name, factors);
  }

  /** The endpoints that a service has now; undefined until they are known. */
  endpointsOf(name: string): readonly Endpoint[] | undefined {
    return this.#served.get(name)?.endpoints;
  }

  /** How many endpoints of a service are served; undefined until they are known. */
  countOf(name: string): number | undefined {
    return this.#served.get(name)?.built.count;
  }

  /**
   * Takes the endpoints of a service's sources, see `selectSources`.
   *
   * @returns the endpoints that cannot be served; undefined while none are known
   */
  renew(name: string, backend: Backend): readonly string[] | undefined {
    const sources = backend.sources.map(({ target, priority }) => {
      const { endpoints, drops } = this.#sources.snapshot(target) ?? {};
      return { target, priority, endpoints, drops, isOverdue: this.#sources.isOverdue(target) };
    });
    const all = selectSources(sources, this.#served.get(name)?.sources);
    if (!all) return undefined;
    const built = buildEndpoints(backend, all, this.#factors.get(name) ?? new Map());
    const envoy = assignmentResource(name, built.envoy);
    const grpc = built.grpc === built.envoy ? envoy : assignmentResource(name, built.grpc);
    const endpoints = all.flatMap(({ endpoints }) => endpoints);
    this.#served.set(name, { sources: all, endpoints, built, resources: { grpc, envoy } });
    return built.skipped;
  }

  /** All that clients of a kind get. */
  all(kind: ClientKind): KindResources {
    const resources = [...this.#config.services.values()].flatMap((service) => this.#build(service, kind));
    return { resources, merged: this.#mergeSplits(kind, () => true) };
  }

  /** The endpoints that have changed with those of these services. */
  changed(kind: ClientKind, services: ReadonlySet<string>): KindResources {
    const resources = [...services].flatMap((name) => this.#assignmentOf(name, kind));
    return { resources, merged: this.#mergeSplits(kind, (service) => services.has(service)) };
  }

  /** The names whose endpoints are not known yet: of services, and of splits that are merged. */
  pending(): { readonly services: readonly Reference[]; readonly splits: readonly Reference[] } {
    return { services: this.#pendingOf(backends(this.#config)), splits: this.#pendingOf(splits(this.#config)) };
  }

  #pendingOf(services: Iterable<readonly [name: string, backend: Backend | Split]>): Reference[] {
    return [...services].flatMap(([name, backend]) =>
      this.#isKnown(name, backend) ? [] : { typeUrl: typeUrls.endpoints, name },
    );
  }

  #isKnown(name: string, backend: Backend | Split): boolean {
    return usedBy(name, backend).every((service) => this.#served.has(service));
  }

  /** The endpoints of the splits that have one of some services, and whose endpoints are known; for clients that are not gRPC's. */
  #mergeSplits(kind: ClientKind, isChanged: (service: string) => boolean): Resource[] {
    if (kind === "grpc") return [];
    return [...splits(this.#config)].flatMap(([name, split]) => {
      if (!usedBy(name, split).some(isChanged) || !this.#isKnown(name, split)) return [];
      const parts = split.parts.flatMap(({ service, weight }) => {
        const built = this.#served.get(service)?.built.envoy;
        return built ? { service, weight, built } : [];
      });
      return assignmentResource(name, mergeSplit(parts));
    });
  }

  #build(service: Service, kind: ClientKind): Resource[] {
    const { name, backend } = service;
    const listener = buildListener(service, kind);
    const resources = [routeResource(buildRoutes(service, kind))];
    if (listener) resources.push(listenerResource(listener));
    if (backend.t === "split") return resources;
    const cluster = clusterResource(buildCluster(name, backend, kind));
    return [...resources, cluster, ...this.#assignmentOf(name, kind)];
  }

  #assignmentOf(name: string, kind: ClientKind): Resource[] {
    const served = this.#served.get(name);
    return served ? [served.resources[kind]] : [];
  }
}

/** The services that have endpoints of their own. */
export function* backends({ services }: Config): Generator<readonly [name: string, backend: Backend]> {
  for (const { name, backend } of services.values()) if (backend.t === "backend") yield [name, backend];
}

function* splits({ services }: Config): Generator<readonly [name: string, split: Split]> {
  for (const { name, backend } of services.values()) if (backend.t === "split") yield [name, backend];
}

/** The services whose endpoints take the calls of a service: itself, or the parts of a split. */
function usedBy(name: string, backend: Backend | Split): readonly string[] {
  if (backend.t === "backend") return [name];
  return backend.parts.flatMap(({ service, weight }) => (weight > 0 ? service : []));
}

function assignmentResource(name: string, built: BuiltEndpoints): Resource {
  return createResource(typeUrls.endpoints, name, encodeAssignment(name, built));
}
