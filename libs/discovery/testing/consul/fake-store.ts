/**
 * One instance as `/v1/health/service/:name` lists it: the fields that discovery reads.
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

/** The body of `PUT /v1/agent/service/register`: the fields that the fake reads. */
export interface RegisteredService {
  readonly ID?: string;
  readonly Name: string;
  readonly Address?: string;
  readonly Port?: number;
  readonly Tags?: readonly string[];
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Weights?: { readonly Passing?: number; readonly Warning?: number };
  readonly Locality?: { readonly Zone?: string };
  readonly Check?: RegisteredCheck;
}

export interface RegisteredCheck {
  readonly CheckID?: string;
  readonly TTL?: string;
  readonly GRPC?: string;
  readonly Interval?: string;
  readonly Timeout?: string;
  readonly Status?: string;
  readonly DeregisterCriticalServiceAfter?: string;
}

/** The default node of an instance. */
export const fakeNode: HealthEntry["Node"] = { Node: "fake", Address: "127.0.0.1", Meta: {} };

interface Stored {
  readonly service: RegisteredService;
  readonly node: HealthEntry["Node"];
  status: string;
  expiry: NodeJS.Timeout | undefined;
}

/** The state of a fake agent: services by id, the status of their checks, and an index that grows with each change. */
export class FakeStore {
  readonly #services = new Map<string, Stored>();
  /** The index of the last change of each service. */
  readonly #changed = new Map<string, number>();
  readonly #onChange: () => void;
  #index = 10;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** All services, by id. */
  get registered(): ReadonlyMap<string, RegisteredService> {
    return new Map([...this.#services].map(([id, { service }]) => [id, service]));
  }

  /** The index of a service. As in Consul, it is the newest index if the service has no instances. */
  indexOf(name: string): number {
    return [...this.#services.values()].some(({ service }) => service.Name === name)
      ? (this.#changed.get(name) ?? this.#index)
      : this.#index;
  }

  entries(name: string): HealthEntry[] {
    return [...this.#services]
      .filter(([, { service }]) => service.Name === name)
      .map(([ID, { service, node, status }]) => ({
        Node: node,
        Service: {
          ID,
          Service: name,
          Address: service.Address ?? "",
          Port: service.Port ?? 0,
          Tags: service.Tags ?? [],
          Meta: service.Meta ?? null,
          Weights: { Passing: 1, Warning: 1, ...service.Weights },
          ...(service.Locality && { Locality: service.Locality }),
        },
        Checks: [{ Status: status, ServiceName: service.Check ? name : "" }],
      }));
  }

  register(service: RegisteredService, node = fakeNode): void {
    const id = service.ID ?? service.Name;
    const before = this.#services.get(id);
    clearTimeout(before?.expiry);
    // As in Consul, an existing check keeps its status.
    const status = service.Check
      ? before?.service.Check
        ? before.status
        : (service.Check.Status ?? "critical")
      : "passing";
    this.#services.set(id, { service, node, status, expiry: undefined });
    this.#touch(service.Name);
    if (service.Check?.TTL && status === "passing") this.#expire(id);
  }

  /** Returns whether it existed. */
  deregister(id: string): boolean {
    const stored = this.#services.get(id);
    if (!stored) return false;
    clearTimeout(stored.expiry);
    this.#services.delete(id);
    this.#touch(stored.service.Name);
    return true;
  }

  /** Sets the status of a check; returns whether it exists. */
  update(checkId: string, status: string): boolean {
    const found = [...this.#services].find(
      ([id, { service }]) => service.Check && (service.Check.CheckID ?? `service:${id}`) === checkId,
    );
    if (!found) return false;
    this.setStatus(found[0], status);
    if (status === "passing") this.#expire(found[0]);
    return true;
  }

  setStatus(id: string, status: string): void {
    const stored = this.#services.get(id);
    if (!stored || stored.status === status) return;
    stored.status = status;
    this.#touch(stored.service.Name);
  }

  /** Removes all services, and resets the index. */
  clear(): void {
    for (const { expiry } of this.#services.values()) clearTimeout(expiry);
    this.#services.clear();
    this.#changed.clear();
    this.setIndex(10);
  }

  /** Continues from another index, for all services. */
  setIndex(index: number): void {
    this.#index = index;
    for (const name of this.#changed.keys()) this.#changed.set(name, index);
    this.#onChange();
  }

  #expire(id: string): void {
    const stored = this.#services.get(id);
    if (!stored) return;
    clearTimeout(stored.expiry);
    stored.expiry = setTimeout(
      () => this.setStatus(id, "critical"),
      Number.parseInt(stored.service.Check?.TTL ?? "", 10),
    );
    stored.expiry.unref();
  }

  #touch(name: string): void {
    this.#index += 1;
    this.#changed.set(name, this.#index);
    this.#onChange();
  }
}
