import type { Clock, Random } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { EndpointSet } from "../core/endpoint-set.ts";
import { MissingInstances } from "../core/missing-instances.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import type { Endpoint } from "../core/snapshot.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import type { ConsulAnswer, ConsulClient } from "./client.ts";
import { describe, describeHidden, describeMaybeHidden, describeUnavailable, type Exchange } from "./error.ts";
import { type ReadInstance, readHealth, readIndex, UnreadableAnswer } from "./reader.ts";

/** Which query, and how. */
export interface HealthWatchOptions {
  readonly client: ConsulClient;
  readonly service: string;
  /** Path and query, to which `index` and `wait` are added. */
  readonly path: string;
  /** Whether Consul's order is kept; otherwise it is that of the ids. */
  readonly keepsOrder: boolean;
  /** At most this many endpoints; undefined: all. */
  readonly limit: number | undefined;
  /** How long a query may wait for a change. */
  readonly waitMs: number;
  /** How much longer than that an answer may take. */
  readonly answerTimeoutMs: number;
  readonly missingGraceMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * From the start of one query to that of the next, half of it random: a service that flaps costs at most 20 queries a second, and
 * the first change after a silence waits for nothing (https://github.com/hashicorp/consul/issues/1244, /3890).
 */
const floorMs = 100;
/** How many of the instances that cannot be used an error names. */
const maxNamed = 3;
/** How long an answer that is under way may take, in milliseconds; one that drips is never silent. */
const wholeAnswerMs = 60_000;

/**
 * The index of the next query, by the rules of https://developer.hashicorp.com/consul/api-docs/features/blocking: "Reset the index
 * if it goes backwards", to 0, which does not wait; and "sanity check index is greater than zero", as a query with 0 would never
 * wait, while "it is always safe to use an index of 1".
 */
export function followIndex(requested: number, received: number): number {
  const next = Math.max(received, 1);
  return next < requested ? 0 : next;
}

/**
 * Keeps the endpoints of a store as Consul has them: a query for what there is, then one after the other that waits for a change.
 * One request at a time. After a failure it queries what there is, so that the end of an outage is seen at once.
 */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #store: SnapshotStore;
  readonly #signal: AbortSignal;
  readonly #request: Pick<Exchange, "what" | "needs">;
  readonly #missing: MissingInstances;
  /** Also those beyond the limit. */
  readonly #known: EndpointSet;
  /** Which instances cannot be used. */
  #unusable: DiscoveryError | undefined;
  /** Why there may be instances where none is listed. */
  #hidden: DiscoveryError | undefined;
  #index = 0;
  /** The last index received, also if `#index` was reset since. */
  #lastIndex = 0;
  #startedMs = Number.NEGATIVE_INFINITY;
  /** Whether there was no answer since the last failure. */
  #hasFailed = false;

  constructor(options: HealthWatchOptions, store: SnapshotStore, signal: AbortSignal) {
    const { service, clock, missingGraceMs: graceMs, limit } = options;
    this.#options = options;
    this.#store = store;
    this.#signal = signal;
    const needs = `service:read on "${service}" and node:read on the nodes of its instances`;
    this.#request = { what: `read service ${service}`, needs };
    this.#known = limit === undefined ? store.endpoints : new EndpointSet();
    this.#missing = new MissingInstances({ graceMs, clock, signal, onExpired: (ids) => this.#onExpired(ids) });
  }

  /** Runs until the signal is aborted; when it has returned, no request or timer is left. */
  run(): Promise<void> {
    const { clock, random } = this.#options;
    const attempt = async (onHealthy: () => void) => {
      this.#index = 0;
      while (!this.#signal.aborted) {
        await this.#query();
        onHealthy();
      }
    };
    const onFailure = (cause: unknown) => {
      const error = cause instanceof DiscoveryError ? cause : describeUnavailable(this.#exchange, cause);
      this.#hasFailed = true;
      this.#store.fail(error);
      return error;
    };
    return runWithRestarts({ attempt, onFailure, clock, random }, this.#signal);
  }

  async #query(): Promise<void> {
    const { client, clock, random, path, waitMs, answerTimeoutMs } = this.#options;
    const signal = this.#signal;
    const pauseMs = this.#startedMs + floorMs * (0.5 + random() / 2) - clock.now();
    if (pauseMs > 0) await clock.sleep(pauseMs, signal, { background: true });
    if (signal.aborted) return;
    this.#startedMs = clock.now();
    const index = this.#index;
    if (index > 0) this.#store.watches += 1;
    else this.#store.lists += 1;
    // "A small random amount of additional wait time is added …, up to wait / 16" (the same page).
    const silenceMs = answerTimeoutMs + (index > 0 ? waitMs + waitMs / 16 : 0);
    const answer = await client.request({
      ...this.#request,
      method: "GET",
      path: index > 0 ? `${path}${path.includes("?") ? "&" : "?"}index=${index}&wait=${waitMs}ms` : path,
      signal,
      silenceMs,
      pauseMs: answerTimeoutMs,
      totalMs: silenceMs + wholeAnswerMs,
    });
    if (!signal.aborted) this.#apply(answer);
  }

  #apply(answer: ConsulAnswer): void {
    const index = readIndex(answer.headers["x-consul-index"]);
    const instances = readHealth(answer.text);
    if (instances.length === 0 && answer.headers["x-consul-results-filtered-by-acls"] === "true") {
      this.#options.client.invalidateCredentials();
      throw describeHidden(this.#exchange);
    }
    // An instance without a name may be any of those that are known.
    const unnamed = instances.flatMap((instance) =>
      instance.t === "invalid" && instance.id === undefined ? [instance.why] : [],
    );
    if (unnamed.length > 0 && unnamed.length === instances.length) {
      throw new UnreadableAnswer(`the answer cannot be read: it lists what is not an instance: ${unnamed[0]}`);
    }
    if (this.#index > 0 && index !== this.#index) this.#store.events += 1;
    this.#replace(instances, this.#hasFailed || index < this.#lastIndex || unnamed.length > 0);
    this.#unusable = this.#describeUnusable(instances);
    const isDenied = answer.headers["x-consul-default-acl-policy"] === "deny" && !answer.hasToken;
    this.#hidden = isDenied ? describeMaybeHidden(this.#exchange) : undefined;
    this.#hasFailed = false;
    this.#lastIndex = index;
    this.#index = followIndex(this.#index, index);
    this.#cut();
    this.#store.sync({ problem: this.#problem });
  }

  get #exchange(): Exchange {
    return this.#options.client.describe(this.#request);
  }

  get #problem(): DiscoveryError | undefined {
    return this.#unusable ?? (this.#known.size === 0 ? this.#hidden : undefined);
  }

  /**
   * Takes over what an answer lists. An instance that cannot be read stays as it was.
   *
   * @param mayHaveLost whether the agent may have forgotten instances that live and register again: then those that are missing
   * are served for the grace period. Not only if many are missing, as the others may have registered again before the query
   */
  #replace(instances: readonly ReadInstance[], mayHaveLost: boolean): void {
    const known = this.#known;
    const listed = new Map<string, Endpoint>();
    for (const instance of instances) {
      const before = instance.t === "invalid" && instance.id !== undefined ? known.get(instance.id) : undefined;
      const endpoint = instance.t === "endpoint" ? instance.endpoint : before;
      if (endpoint && !listed.has(endpoint.id)) listed.set(endpoint.id, endpoint);
    }
    const ids = new Set(instances.map(({ id }) => id));
    const addresses = new Set([...listed.values()].map(addressOf));
    const missing = new Map<string, Endpoint>();
    for (const id of mayHaveLost ? known.ids() : this.#missing.ids) {
      const endpoint = known.get(id);
      if (endpoint && !ids.has(id) && !addresses.has(addressOf(endpoint))) missing.set(id, endpoint);
    }
    this.#missing.replace(new Set(missing.keys()), mayHaveLost);
    known.replaceAll([...listed.values(), ...missing.values()], { keepsOrder: this.#options.keepsOrder });
  }

  /** While the agent cannot be reached nothing is known: its next answer begins another grace period. */
  #onExpired(ids: ReadonlySet<string>): void {
    if (this.#hasFailed) return;
    for (const id of ids) this.#known.delete(id);
    this.#cut();
    this.#store.update({ problem: this.#problem });
  }

  /** Behind the order, and without what cannot be chosen. */
  #cut(): void {
    const { limit, keepsOrder } = this.#options;
    if (limit !== undefined) this.#store.endpoints.replaceAll(this.#known.all.slice(0, limit), { keepsOrder });
  }

  #describeUnusable(instances: readonly ReadInstance[]): DiscoveryError | undefined {
    const unusable = instances.filter((instance) => instance.t !== "endpoint");
    if (unusable.length === 0) return undefined;
    const named = unusable.slice(0, maxNamed).map(({ id = "one without a name", why }) => `${id}: ${why}`);
    const more = unusable.length > maxNamed ? `; and ${unusable.length - maxNamed} more` : "";
    const total = instances.length;
    const which =
      unusable.length === total
        ? `none of its ${total} instances can`
        : `${unusable.length} of its ${total} instances cannot`;
    const code = unusable.every(({ t }) => t === "notCallable") ? "portNotFound" : "invalid";
    return describe(code, this.#exchange, `${which} be used: ${named.join("; ")}${more}`);
  }
}

/** One address is one endpoint, also if it registers again under another id. */
function addressOf({ addresses: [address] }: Endpoint): string {
  return address ? formatAddress(address) : "";
}
