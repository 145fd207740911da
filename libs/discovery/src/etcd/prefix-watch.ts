import { isUtf8 } from "node:buffer";
import { status } from "@grpc/grpc-js";
import type { Clock, Random } from "@grpc-lb/core";
import { KVService, RangeRequest } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@grpc-lb/protos/etcd/api/mvccpb";
import { RpcStatus } from "@grpc-lb/xds/channel";
import { DiscoveryError, printable } from "../core/discovery-error.ts";
import { MissingInstances } from "../core/missing-instances.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import { type Cluster, describeHeader } from "./cluster.ts";
import type { Layout } from "./layouts.ts";
import { readInstance } from "./reader.ts";
import { watchRange } from "./watch-range.ts";

/** What to watch, and how. */
export interface PrefixWatchOptions {
  readonly cluster: Cluster;
  readonly layout: Layout;
  /** Ends with a slash. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly progressIntervalMs: number;
  readonly answerTimeoutMs: number;
  readonly missingGraceMs: number;
}

const foreignKey = "an answer with a key of another service";

/**
 * Keeps the endpoints of a store as the keys of a prefix are: reads all, watches from the next revision, and reads all again
 * after whatever ended the watch. It never resumes from the last revision: a store that was restored, or came back empty, may
 * have that revision too, with a different past, and one read of one service is cheap. So a compaction matters only between a read and
 * its watch.
 */
export class PrefixWatch {
  readonly #options: PrefixWatchOptions;
  readonly #store: SnapshotStore;
  readonly #signal: AbortSignal;
  readonly #missing: MissingInstances;
  /** Why a key's value cannot be used, by id. */
  readonly #problems = new Map<string, string>();
  /** The etcd that was read last, and its newest revision. */
  #cluster: { readonly id: bigint; readonly revision: bigint } | undefined;
  /** Whether nothing was heard since the last failure. */
  #hasFailed = false;

  constructor(options: PrefixWatchOptions, store: SnapshotStore, signal: AbortSignal) {
    this.#options = options;
    this.#store = store;
    this.#signal = signal;
    const { missingGraceMs: graceMs, clock } = options;
    this.#missing = new MissingInstances({ graceMs, clock, signal, onExpired: (ids) => this.#onExpired(ids) });
  }

  /** Runs until the signal is aborted; when it has returned, no connection or timer is left. */
  async run(): Promise<void> {
    const { cluster, prefix, clock, random } = this.#options;
    const attempt = async (onHealthy: () => void) => {
      const revision = await this.#list();
      if (!this.#signal.aborted) await this.#watch(revision + 1n, onHealthy);
    };
    const onFailure = (cause: unknown) => {
      const error = cluster.describe(`watch ${prefix}`, cause);
      this.#hasFailed = true;
      this.#store.fail(error);
      return error;
    };
    await runWithRestarts({ attempt, onFailure, clock, random }, this.#signal);
    await cluster.close();
  }

  async #list(): Promise<bigint> {
    const { cluster, prefix, answerTimeoutMs: timeoutMs } = this.#options;
    const signal = this.#signal;
    this.#store.lists += 1;
    const request = RangeRequest.fromPartial(rangeOf(prefix));
    const options = { what: `list ${prefix}`, timeoutMs, signal };
    const { kvs, header } = await cluster.call(KVService.range, request, options, ({ header, kvs }) => {
      return describeHeader(header) ?? (kvs.every(({ key }) => this.#isOurs(key)) ? undefined : foreignKey);
    });
    if (signal.aborted || !header) return 0n;
    this.#replace(kvs, { id: header.clusterId, revision: header.revision });
    this.#sync();
    return header.revision;
  }

  async #watch(startRevision: bigint, onHealthy: () => void): Promise<void> {
    const { prefix } = this.#options;
    this.#store.watches += 1;
    await watchRange({
      ...this.#options,
      ...rangeOf(prefix),
      what: `watch ${prefix}`,
      startRevision,
      signal: this.#signal,
      onProgress: (events, revision, isEnding) => {
        const known = this.#cluster;
        if (known && revision > known.revision) this.#cluster = { ...known, revision };
        for (const event of events) this.#apply(event);
        if (isEnding) return false;
        onHealthy();
        this.#sync();
        return false;
      },
    });
  }

  /**
   * Takes over what a read returned. What is missing in it is served for the grace period if etcd may have lost it: after a
   * failure, from another cluster or an older revision (a store that came back empty or from a backup), or with half of the
   * keys gone at once.
   */
  #replace(all: readonly KeyValue[], now: { readonly id: bigint; readonly revision: bigint }): void {
    const { endpoints } = this.#store;
    const had = endpoints.size;
    const entries = all.map((one) => ({ id: this.#idOf(one.key), value: one.value }));
    const listed = new Set(entries.map(({ id }) => id));
    const gone = new Set([...endpoints.ids()].filter((id) => !listed.has(id)));
    // The grace period is for endpoints: a value that is gone is not reported any more.
    for (const id of this.#problems.keys()) if (!listed.has(id)) this.#problems.delete(id);
    for (const { id, value } of entries) this.#set(id, value);
    const before = this.#cluster ?? now;
    this.#cluster = now;
    // A store that came back empty may have the revision of the old one when others have written to it since.
    const mayHaveLost = this.#hasFailed || now.revision < before.revision || now.id !== before.id;
    const isHalved = had >= 2 && all.length <= had / 2;
    if (mayHaveLost || isHalved || this.#missing.ids.size > 0) {
      this.#missing.replace(gone, mayHaveLost);
    } else this.#remove(gone);
  }

  #apply({ type, kv }: Event): void {
    if (!kv) return;
    this.#store.events += 1;
    const id = this.#idOf(kv.key);
    if (type === Event_EventType.DELETE) this.#remove([id]);
    else this.#set(id, kv.value);
  }

  #set(id: string, value: Uint8Array): void {
    const { endpoints } = this.#store;
    this.#missing.delete(id);
    const { endpoint, problem } = readInstance(this.#options.layout, id, value, endpoints.get(id));
    if (endpoint) endpoints.set(endpoint);
    else endpoints.delete(id);
    if (problem === undefined) this.#problems.delete(id);
    else this.#problems.set(id, problem);
  }

  #remove(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#store.endpoints.delete(id);
      this.#problems.delete(id);
      this.#missing.delete(id);
    }
  }

  /** While etcd cannot be reached nothing is known: the next read begins another grace period. */
  #onExpired(ids: ReadonlySet<string>): void {
    if (this.#hasFailed) return;
    this.#remove(ids);
    this.#store.update({ problem: this.#describeProblems() });
  }

  #sync(): void {
    this.#hasFailed = false;
    this.#store.sync({ problem: this.#describeProblems() });
  }

  #describeProblems(): DiscoveryError | undefined {
    const [first] = this.#problems;
    if (!first) return undefined;
    const [id, why] = first;
    const count = this.#problems.size;
    const key = printable(`${this.#options.prefix}${id}`, 200);
    const isUseless = this.#store.endpoints.size === 0;
    const what = isUseless
      ? `none of the ${count} keys of ${printable(this.#options.prefix, 200)} can be used: ${key}: ${why}`
      : `the value of ${key} cannot be used: ${why}${count > 1 ? `, and ${count - 1} more` : ""}`;
    return new DiscoveryError("invalid", `etcd: ${what}`);
  }

  #isOurs(key: Buffer): boolean {
    const prefix = Buffer.from(this.#options.prefix);
    return key.subarray(0, prefix.length).equals(prefix);
  }

  /** The key behind the prefix. */
  #idOf(key: Buffer): string {
    if (!this.#isOurs(key)) throw new RpcStatus(status.INTERNAL, foreignKey);
    const rest = key.subarray(Buffer.byteLength(this.#options.prefix));
    return rest.toString(isUtf8(rest) ? "utf8" : "latin1"); // two keys that are not UTF-8 stay two
  }
}

/** All keys that begin with a prefix; its last byte is a slash, so the end is that byte plus one. */
function rangeOf(prefix: string): { readonly key: Buffer; readonly rangeEnd: Buffer } {
  const key = Buffer.from(prefix);
  const rangeEnd = Buffer.from(key);
  rangeEnd.writeUInt8((rangeEnd.at(-1) ?? 0) + 1, rangeEnd.length - 1);
  return { key, rangeEnd };
}
