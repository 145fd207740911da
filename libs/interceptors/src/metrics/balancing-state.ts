import type { Attributes } from "@opentelemetry/api";
import type {
  ConnectionMessage,
  EjectionMessage,
  PickMessage,
  PolicyEndMessage,
  PolicyMessage,
  UpdateMessage,
} from "./balancing-messages.ts";

interface EndpointState {
  picks: number;
  /** Open connections, of all channels. */
  open: number;
  /** The channels in which it is ejected. */
  ejected: number;
}

/** What the channels with one target and policy do. */
export class PolicyState {
  readonly attributes: Attributes;
  readonly #instances = new Set<symbol>();
  readonly #endpoints = new Map<string, EndpointState>();
  #current: ReadonlySet<string> = new Set();

  constructor({ target, policy }: PolicyMessage) {
    this.attributes = { "grpc.target": target ?? "unknown", "grpc.lb.policy": policy };
  }

  /** Endpoints that have left, and have no connection any more, are forgotten, so that the pods that have come and gone do not add up. */
  update({ endpoints, instance }: UpdateMessage): void {
    this.#instances.add(instance);
    this.#current = new Set(endpoints.map(({ address }) => address));
    for (const [address, { open }] of this.#endpoints) {
      if (open === 0 && !this.#current.has(address)) this.#endpoints.delete(address);
    }
  }

  pick({ endpoint }: PickMessage): void {
    this.#endpoint(endpoint.address).picks += 1;
  }

  connect({ endpoint, isOpen }: ConnectionMessage): void {
    const state = this.#endpoint(endpoint.address);
    state.open = Math.max(0, state.open + (isOpen ? 1 : -1));
    if (state.open === 0) state.ejected = 0;
  }

  eject({ endpoint, isEjected }: EjectionMessage): void {
    const state = this.#endpoint(endpoint.address);
    state.ejected = Math.max(0, state.ejected + (isEjected ? 1 : -1));
  }

  /** Without an instance, all channels are closed or idle: no endpoint is known, and the picks stay. */
  end({ instance }: PolicyEndMessage): void {
    this.#instances.delete(instance);
    if (!this.isActive) this.#current = new Set();
  }

  /** Whether a channel balances. */
  get isActive(): boolean {
    return this.#instances.size > 0;
  }

  get known(): number {
    return this.#current.size;
  }

  get ready(): number {
    return [...this.#endpoints.values()].filter(({ open, ejected }) => open > ejected).length;
  }

  *picks(): Iterable<readonly [address: string, picks: number]> {
    for (const [address, { picks }] of this.#endpoints) if (picks > 0) yield [address, picks];
  }

  #endpoint(address: string): EndpointState {
    let state = this.#endpoints.get(address);
    if (!state) {
      state = { picks: 0, open: 0, ejected: 0 };
      this.#endpoints.set(address, state);
    }
    return state;
  }
}
