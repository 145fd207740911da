import { status } from "@grpc/grpc-js";
import type { Clock, Random } from "@grpc-lb/core";
import type { WatchRequest, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { KVService, WatchService } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@grpc-lb/protos/etcd/api/mvccpb";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { Cluster } from "./cluster.ts";
import { describeCancel, describeFailure } from "./etcd-error.ts";
import { KeyRange } from "./key-range.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcStatus } from "./rpc-status.ts";
import { runTurns } from "./turns.ts";

/** Which store it is and how far, as each answer of etcd says. */
export interface StoreState {
  readonly clusterId: bigint;
  readonly revision: bigint;
}

/** Who is told of what a watch sees: in order, and not after `run` has ended. None may throw. */
export interface PrefixHandler {
  /**
   * All there is now.
   *
   * @param store what etcd says of it; less revision than before when it has lost what it knew
   */
  replace(all: readonly KeyValue[], store: StoreState): void;
  put(one: KeyValue): void;
  delete(key: string): void;
  /** The store was at this revision when it told of its last change, or of none. */
  onRevision(revision: bigint): void;
  /** The server was heard: what is known is as it says. */
  onHeard(): void;
  /** Something failed; the loop goes on by itself. */
  onFailure(error: DiscoveryError): void;
  onList(): void;
  /** A watch begins; the first one too. */
  onWatch(): void;
}

/** What to watch. */
export interface PrefixWatchOptions {
  readonly cluster: Cluster;
  /** Ends with a slash. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How long after an answer was due etcd is asked again whether it is still there, in milliseconds. */
  readonly progressIntervalMs: number;
  /** How long an answer may take, in milliseconds. */
  readonly answerTimeoutMs: number;
}

/**
 * The loop that keeps the keys of a prefix as etcd has them: read all, watch from the next revision, and after whatever ends
 * the watch begin anew. It never goes on from the last revision seen, as a store that was restored or came back empty may have
 * that revision too, with another past; one read of one service is cheap. So a compaction matters between a read and its watch only.
 */
export class PrefixWatch {
  readonly #options: PrefixWatchOptions;
  readonly #handler: PrefixHandler;
  readonly #range: KeyRange;

  constructor(options: PrefixWatchOptions, handler: PrefixHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#range = new KeyRange(options.prefix);
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    const { cluster, clock, random } = this.#options;
    const turn = async (onBegun: () => void) => {
      const revision = await this.#list(signal);
      if (!signal.aborted) await this.#watch(revision + 1n, onBegun, signal);
    };
    const onFailure = (cause: unknown) => {
      const error = this.#asDiscoveryError(cause);
      this.#handler.onFailure(error);
      return error;
    };
    await runTurns({ turn, onFailure, clock, random }, signal);
    await cluster.close();
  }

  async #list(signal: AbortSignal): Promise<bigint> {
    const { cluster, prefix, answerTimeoutMs: timeoutMs } = this.#options;
    const options = { what: `list ${prefix}`, timeoutMs, signal };
    const { kvs, header } = await cluster.call(KVService.range, this.#range.request(), options);
    if (signal.aborted) return 0n;
    const { revision = 0n, clusterId = 0n } = header ?? {};
    this.#handler.onList();
    this.#handler.replace(kvs, { revision, clusterId });
    this.#handler.onHeard();
    return revision;
  }

  /** Returns when the revision is compacted already: that is foreseen, and cured by a read. */
  async #watch(startRevision: bigint, onBegun: () => void, signal: AbortSignal): Promise<void> {
    const { cluster, prefix, answerTimeoutMs: timeoutMs } = this.#options;
    this.#handler.onWatch();
    const options = { what: `watch ${prefix}`, timeoutMs, signal };
    await cluster.stream(WatchService.watch, options, async (call) => {
      const ended = new AbortController();
      const heard = { count: 0 };
      call.send(this.#range.watchRequest(startRevision));
      void this.#observe(call, heard, ended.signal);
      try {
        for await (const responses of call.batches()) {
          if (signal.aborted) return;
          heard.count += responses.length;
          onBegun();
          for (const { header } of responses) this.#handler.onRevision(header?.revision ?? 0n);
          for (const { events } of responses) for (const event of events) this.#apply(event);
          const end = responses.find(({ canceled }) => canceled);
          if (end && end.compactRevision > 0n) return;
          if (end) throw describeCancel(end.cancelReason);
          this.#handler.onHeard(); // of what came together, nobody needs to see every state
        }
      } finally {
        ended.abort();
      }
    });
  }

  #apply({ type, kv }: Event): void {
    if (!kv) return;
    if (type === Event_EventType.DELETE) this.#handler.delete(kv.key.toString());
    else this.#handler.put(kv);
  }

  /** Asks from time to time how far the watch is, and gives it up when nothing comes: a frozen etcd says so in no other way. */
  async #observe(
    call: RpcCall<WatchRequest, WatchResponse>,
    heard: { readonly count: number },
    ended: AbortSignal,
  ): Promise<void> {
    const { clock, progressIntervalMs, answerTimeoutMs } = this.#options;
    for (let isFirst = true; !ended.aborted; isFirst = false) {
      // The watch itself is to be confirmed first.
      if (!isFirst) await clock.sleep(progressIntervalMs, ended, { background: true });
      if (ended.aborted) return;
      const before = heard.count;
      if (!isFirst) call.send({ requestUnion: { $case: "progressRequest", value: {} } });
      await clock.sleep(answerTimeoutMs, ended, { background: true });
      // What came while this process was busy is to be read first.
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      if (ended.aborted || heard.count > before) continue;
      call.end(new RpcStatus(status.DEADLINE_EXCEEDED, `no answer for ${answerTimeoutMs} ms`));
      return;
    }
  }

  #asDiscoveryError(cause: unknown): DiscoveryError {
    const { cluster, prefix } = this.#options;
    return describeFailure(`watch ${prefix} on ${cluster.name}`, undefined, cause);
  }
}
