import type { Clock, Random } from "@grpc-lb/core";
import type { KeyValue } from "@grpc-lb/protos/etcd/api/mvccpb";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Latest } from "../core/latest.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { SourceCounts } from "../core/source-counts.ts";
import type { SourceStats } from "../core/source-stats.ts";
import type { EtcdAccess } from "./access.ts";
import { Cluster } from "./cluster.ts";
import { InstanceTable } from "./instance-table.ts";
import type { Layout } from "./layout.ts";
import { type PrefixHandler, PrefixWatch, type StoreState } from "./prefix-watch.ts";
import { readValue } from "./value.ts";

/** What a source of etcd has done and seen. `target` counts the values that were no endpoints, each time one was read. */
export interface EtcdSourceStats extends SourceStats {
  /** Changes of keys that etcd has told; none are of other services. */
  readonly events: number;
}

/** What a feed is about. */
export interface FeedOptions {
  readonly access: EtcdAccess;
  readonly service: string;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly random: Random;
  readonly progressIntervalMs: number;
  readonly answerTimeoutMs: number;
  readonly doubtMs: number;
}

/** One watch of a service, which is turned into snapshots. */
export class ServiceFeed implements PrefixHandler {
  readonly subject: string;
  readonly #options: FeedOptions;
  readonly #counts: SourceCounts;
  readonly #prefix: string;
  #events = 0;
  #latest: Latest<Snapshot> | undefined;
  #signal: AbortSignal | undefined;
  #table = new InstanceTable();
  /** By key, why its value is not wholly taken. */
  #problems = new Map<string, string>();
  /** The keys that a read did not show and that are still served, and until when. */
  #doubt: { readonly keys: Set<string>; readonly dueMs: number } | undefined;
  /** The newest that was heard of the store. */
  #store: StoreState | undefined;
  #isSynced = false;
  #lastSyncMs: number | undefined;
  #failure: DiscoveryError | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#counts = new SourceCounts(options.clock);
    this.#prefix = options.layout.prefix(options.service);
    this.subject = `etcd ${this.#prefix}`;
  }

  get stats(): EtcdSourceStats {
    return { ...this.#counts.stats, events: this.#events };
  }

  /** Watches until `signal` is aborted, and knows nothing of what another watch of it has seen. */
  async run(latest: Latest<Snapshot>, signal: AbortSignal): Promise<void> {
    const { access, clock, random, progressIntervalMs, answerTimeoutMs } = this.#options;
    this.#latest = latest;
    this.#signal = signal;
    this.#table = new InstanceTable();
    this.#problems = new Map();
    this.#doubt = undefined;
    this.#store = undefined;
    this.#isSynced = false;
    this.#lastSyncMs = undefined;
    this.#failure = undefined;
    const cluster = new Cluster(access, clock, random);
    const watch = { cluster, prefix: this.#prefix, clock, random, progressIntervalMs, answerTimeoutMs };
    await new PrefixWatch(watch, this).run(signal);
  }

  replace(all: readonly KeyValue[], store: StoreState): void {
    const had = this.#table.size;
    const gone = new Set([...this.#table.keys(), ...this.#problems.keys()]);
    for (const one of all) {
      gone.delete(this.#idOf(one.key));
      this.#set(one);
    }
    const before = this.#store ?? store;
    const isOther = store.revision < before.revision || store.clusterId !== before.clusterId;
    this.#store = store;
    this.#isSynced = true;
    // Also by its revision a store that came back empty may look like the old one, when others have written to it since.
    const isSuspicious = isOther || this.#failure !== undefined;
    const isHalved = had >= 2 && all.length <= had / 2;
    if (gone.size > 0 && (isSuspicious || isHalved || this.#doubt)) this.#suspect(gone, isSuspicious);
    else this.#remove(gone);
  }

  put(one: KeyValue): void {
    this.#events += 1;
    this.#set(one);
  }

  delete(key: string): void {
    this.#events += 1;
    this.#remove([key.slice(this.#prefix.length)]);
  }

  onRevision(revision: bigint): void {
    const store = this.#store;
    if (store && revision > store.revision) this.#store = { ...store, revision };
  }

  onHeard(): void {
    this.#counts.heard();
    this.#lastSyncMs = this.#options.clock.now();
    this.#failure = undefined;
    this.#publish();
  }

  onFailure(error: DiscoveryError): void {
    this.#counts.failed(error);
    this.#failure = error;
    this.#publish();
  }

  onList(): void {
    this.#counts.lists += 1;
  }

  onWatch(): void {
    this.#counts.watches += 1;
  }

  #idOf(key: Buffer): string {
    return key.toString().slice(this.#prefix.length);
  }

  #set({ key, value }: KeyValue): void {
    const id = this.#idOf(key);
    const { endpoint, problem } = readValue(this.#options.layout, id, value.toString());
    this.#doubt?.keys.delete(id);
    if (endpoint) this.#table.set(endpoint);
    else this.#table.delete(id);
    if (problem === undefined) this.#problems.delete(id);
    else {
      this.#problems.set(id, problem);
      this.#counts.failed(this.#describeProblem());
    }
  }

  #remove(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#table.delete(id);
      this.#problems.delete(id);
      this.#doubt?.keys.delete(id);
    }
  }

  /**
   * Serves on what a read does not show, for a while: etcd may have come back empty or from a backup, and whoever lives
   * registers again within this time. A read that is suspicious again begins the doubt anew; another one does not prolong it.
   */
  #suspect(ids: Set<string>, isAnew: boolean): void {
    const { clock, doubtMs } = this.#options;
    const signal = this.#signal as AbortSignal;
    const before = isAnew ? undefined : this.#doubt;
    const dueMs = before?.dueMs ?? clock.now() + doubtMs;
    const doubt = { keys: ids, dueMs };
    this.#doubt = doubt;
    void clock.sleep(dueMs - clock.now(), signal, { background: true }).then(() => {
      // While etcd is away nothing is known: then the next read begins another doubt.
      if (this.#doubt !== doubt || signal.aborted) return;
      this.#doubt = undefined;
      if (this.#failure) return;
      this.#remove(doubt.keys);
      this.#publish();
    });
  }

  #publish(): void {
    const latest = this.#latest;
    if (!latest || this.#signal?.aborted || (!this.#isSynced && !this.#failure)) return;
    const next: Snapshot = {
      subject: this.subject,
      endpoints: this.#isSynced ? this.#table.endpoints : undefined,
      lastSyncMs: this.#lastSyncMs,
      error: this.#failure ?? (this.#problems.size > 0 ? this.#describeProblem() : undefined),
      serviceConfig: undefined,
    };
    const before = latest.value;
    const isNews = !before || before.endpoints !== next.endpoints || before.error?.message !== next.error?.message;
    if (isNews) latest.set(next);
  }

  #describeProblem(): DiscoveryError {
    const [id, why] = this.#problems.entries().next().value ?? [];
    const others = this.#problems.size > 1 ? `, and ${this.#problems.size - 1} more` : "";
    return new DiscoveryError(
      "invalid",
      `etcd: the value of ${this.#prefix}${id} is not as it should be: ${why}${others}`,
    );
  }
}
