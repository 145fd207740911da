import type { Clock } from "@grpc-lb/core";
import type { ResourceWatcher, XdsError } from "@grpc-lb/xds/client";
import { DiscoveryError, printable } from "../core/discovery-error.ts";
import { MissingInstances } from "../core/missing-instances.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import { describeFailure } from "./error.ts";
import type { Assignment } from "./reader.ts";

/** What an `EndpointWatch` is made with. */
export interface EndpointWatchOptions {
  /** Of the EDS resource. */
  readonly name: string;
  /** For messages: `host:18000`. */
  readonly controlPlane: string;
  readonly missingGraceMs: number;
  readonly clock: Clock;
}

const nothing: Assignment = { endpoints: [], ids: new Set(), drops: [], problem: undefined };

/**
 * Keeps the endpoints of a store as a control plane has them. What is missing in its first answer after it was away is served for a grace
 * period: a control plane that has just started may not know everything yet.
 */
export class EndpointWatch implements ResourceWatcher<Assignment> {
  readonly #options: EndpointWatchOptions;
  readonly #store: SnapshotStore;
  readonly #missing: MissingInstances;
  #assignment = nothing;
  #problem: DiscoveryError | undefined;
  /** Whether nothing was heard since the last failure. */
  #hasFailed = false;

  constructor(options: EndpointWatchOptions, store: SnapshotStore, signal: AbortSignal) {
    this.#options = options;
    this.#store = store;
    const { missingGraceMs: graceMs, clock } = options;
    this.#missing = new MissingInstances({ graceMs, clock, signal, onExpired: (ids) => this.#onExpired(ids) });
  }

  onResource(assignment: Assignment, isReturn: boolean): void {
    const { problem } = assignment;
    this.#receive(assignment, isReturn, problem === undefined ? undefined : this.#describe("invalid", problem));
  }

  onMissing(isReturn: boolean, isStated: boolean): void {
    const why = isStated
      ? "the control plane has no endpoints of this name"
      : "the control plane has sent no endpoints of this name: it has none, or still waits for its source";
    this.#receive(nothing, isReturn, this.#describe("notFound", why));
  }

  onError(error: XdsError): void {
    if (error.code !== "invalid") this.#hasFailed = true;
    this.#store.fail(describeFailure(`watch ${printable(this.#options.name, 200)}`, error));
  }

  onCurrent(): void {
    this.#hasFailed = false;
    this.#store.sync(this.#synced);
  }

  #receive(assignment: Assignment, isReturn: boolean, problem: DiscoveryError | undefined): void {
    const store = this.#store;
    const { endpoints } = store;
    store.events += 1;
    if (isReturn) store.watches += 1;
    this.#hasFailed = false;
    const listed = new Set(assignment.endpoints.map(({ id }) => id));
    const gone = new Set([...endpoints.ids()].filter((id) => !listed.has(id)));
    for (const endpoint of assignment.endpoints) {
      this.#missing.delete(endpoint.id);
      endpoints.set(endpoint);
    }
    // The first answer may lack what is there, and a later one what the first one lacked; but what drains, or has a priority that
    // is not used, is not lacking.
    const isLacking = (id: string) => !assignment.ids.has(id) && (isReturn || this.#missing.ids.has(id));
    const kept = new Set([...gone].filter(isLacking));
    for (const id of gone) if (!kept.has(id)) endpoints.delete(id);
    this.#missing.replace(kept, isReturn);
    this.#assignment = assignment;
    this.#problem = problem;
    store.sync(this.#synced);
  }

  /** While the control plane is away nothing is known: another grace period begins. */
  #onExpired(ids: ReadonlySet<string>): void {
    if (this.#hasFailed) {
      this.#missing.replace(ids, true);
      return;
    }
    for (const id of ids) this.#store.endpoints.delete(id);
    this.#store.update(this.#synced);
  }

  get #synced() {
    return { problem: this.#problem, drops: this.#assignment.drops };
  }

  #describe(code: "invalid" | "notFound", why: string): DiscoveryError {
    const { name, controlPlane } = this.#options;
    return new DiscoveryError(code, `xds: watch ${printable(name, 200)} on ${controlPlane}: ${why}`);
  }
}
