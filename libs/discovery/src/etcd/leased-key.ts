import { type Clock, maxDurationMs } from "@grpc-lb/core";
import {
  KVService,
  LeaseGrantRequest,
  LeaseService,
  PutRequest,
  RangeRequest,
} from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { Event_EventType } from "@grpc-lb/protos/etcd/api/mvccpb";
import type { DiscoveryError } from "../core/discovery-error.ts";
import { type CallOptions, type Cluster, describeHeader } from "./cluster.ts";
import { isLeaseGone } from "./error.ts";
import { watchRange } from "./watch-range.ts";

/** The key to hold, and where. */
export interface LeasedKeyOptions {
  readonly cluster: Cluster;
  readonly key: string;
  readonly value: string;
  readonly ttlSeconds: number;
  readonly clock: Clock;
}

interface Lease {
  readonly id: bigint;
  readonly ttlMs: number;
  /** When the last grant or renewal was requested, by the clock. */
  readonly aliveMs: number;
}

/** How long deregistering may take, in milliseconds; after that the lease expires. */
const releaseMs = 3_000;
/** How long one member may take for it, in milliseconds, and how long it is tried at least. */
const revokeMs = 1_000;
const answerBounds = { minMs: 500, maxMs: 5_000 };
/** How long the watch of the key may be silent before its progress is requested, in milliseconds. */
const progressIntervalMs = 10_000;

/** A key of etcd with a lease that is kept alive. */
export class LeasedKey {
  readonly #options: LeasedKeyOptions;
  #lease: Lease | undefined;
  #isWritten = false;
  /** How often the key was written. */
  writes = 0;

  constructor(options: LeasedKeyOptions) {
    this.#options = options;
  }

  /** Whether etcd has the key, as far as is known: without a renewal it expires with its TTL. */
  get isHeld(): boolean {
    const { clock } = this.#options;
    return this.#isWritten && this.#lease !== undefined && clock.now() < this.#lease.aliveMs + this.#lease.ttlMs;
  }

  /**
   * Writes the key and keeps it until `signal` is aborted. Returns when the key is gone and must be written again; throws when
   * etcd cannot be reached or refuses. A lease that is still alive is used again.
   *
   * @param onHeld called when etcd has confirmed that the key exists
   */
  async hold(onHeld: () => void, signal: AbortSignal): Promise<void> {
    try {
      if (this.#lease) await this.#renew(signal);
      if (!this.#lease) await this.#grant(signal);
      const revision = await this.#write(signal);
      this.#isWritten = true;
      onHeld();
      await this.#keep(revision + 1n, signal);
    } catch (error) {
      if (isLeaseGone(error)) this.#lease = undefined;
      throw error;
    }
  }

  /** Revokes the lease, and the key with it. Returns in 3 s at most, and does not throw. */
  async release(): Promise<void> {
    const { clock, cluster } = this.#options;
    const lease = this.#lease;
    if (!lease) return;
    const nowMs = clock.now();
    // A lease that has expired by our clock may live: etcd restarts the TTL of each lease when it restarts.
    const untilMs = Math.max(Math.min(nowMs + releaseMs, lease.aliveMs + lease.ttlMs), nowMs + revokeMs);
    const done = new AbortController();
    // This keeps the process alive, as no socket does.
    void clock.sleep(untilMs - nowMs, done.signal);
    while (clock.now() < untilMs) {
      const timeoutMs = Math.min(revokeMs, untilMs - clock.now());
      const options = { what: `revoke the lease of ${this.#options.key}`, timeoutMs, signal: done.signal };
      const began = clock.now();
      try {
        await cluster.call(LeaseService.leaseRevoke, { ID: lease.id }, options, ({ header }) => describeHeader(header));
        break;
      } catch (error) {
        if (isLeaseGone(error)) break;
        // Refused at once: the next member may answer, or this one a little later.
        const pauseMs = Math.min(100, untilMs - clock.now());
        if (clock.now() - began < 100 && pauseMs > 0) await clock.sleep(pauseMs, done.signal);
      }
    }
    done.abort();
    this.#lease = undefined;
    this.#isWritten = false;
  }

  /** The error for outside. */
  describe(cause: unknown): DiscoveryError {
    return this.#options.cluster.describe(`register ${this.#options.key}`, cause);
  }

  async #grant(signal: AbortSignal): Promise<void> {
    const { cluster, clock, ttlSeconds } = this.#options;
    const atMs = clock.now();
    const request = LeaseGrantRequest.fromPartial({ TTL: BigInt(ttlSeconds) });
    const options = this.#call("grant a lease for", signal);
    const granted = await cluster.call(LeaseService.leaseGrant, request, options, ({ ID, TTL, error }) => {
      return error || (ID === 0n || TTL <= 0n ? "a lease without an id or a TTL" : undefined);
    });
    this.#isWritten = false;
    this.#lease = { id: granted.ID, ttlMs: toMs(granted.TTL), aliveMs: atMs };
  }

  /** Keeps the lease alive; forgets it when etcd no longer has it. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { cluster, clock } = this.#options;
    const lease = this.#lease;
    if (!lease) return;
    const atMs = clock.now();
    const options = this.#call("keep alive", signal);
    const { TTL } = await cluster.call(LeaseService.leaseKeepAlive, { ID: lease.id }, options, ({ ID }) =>
      ID === lease.id ? undefined : "an answer about another lease",
    );
    this.#lease = TTL > 0n ? { ...lease, ttlMs: toMs(TTL), aliveMs: atMs } : undefined;
  }

  /** Writes the key, unless it was written and exists; returns the revision at which it existed. */
  async #write(signal: AbortSignal): Promise<bigint> {
    const { cluster } = this.#options;
    const [key, value] = [Buffer.from(this.#options.key), Buffer.from(this.#options.value)];
    const lease = this.#lease?.id ?? 0n;
    if (this.#isWritten) {
      const request = RangeRequest.fromPartial({ key });
      const options = this.#call("read", signal);
      const read = await cluster.call(KVService.range, request, options, ({ header, kvs }) => {
        const isOther = kvs.some((each) => !key.equals(each.key));
        return describeHeader(header) ?? (isOther ? "an answer about another key" : undefined);
      });
      // With another lease it is of a successor at the same address; the watch reports its end.
      if (read.kvs.length > 0) return read.header?.revision ?? 0n;
    }
    this.#isWritten = false;
    const request = PutRequest.fromPartial({ key, value, lease });
    const options = this.#call("write", signal);
    const { header } = await cluster.call(KVService.put, request, options, ({ header }) => describeHeader(header));
    this.writes += 1;
    return header?.revision ?? 0n;
  }

  /** Keeps the lease alive and watches the key, until one of them is gone. */
  async #keep(startRevision: bigint, signal: AbortSignal): Promise<void> {
    const { cluster, clock, key } = this.#options;
    const ended = new AbortController();
    const end = () => ended.abort(signal.reason);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    const { what, timeoutMs: answerTimeoutMs } = this.#call("watch", signal);
    const watching = watchRange({
      ...{ cluster, what, key: Buffer.from(key), startRevision, clock, progressIntervalMs, answerTimeoutMs },
      signal: ended.signal,
      onProgress: (events) => events.at(-1)?.type === Event_EventType.DELETE,
    });
    const renewing = this.#renewOnTime(ended.signal);
    try {
      await Promise.race([watching, renewing]);
    } finally {
      signal.removeEventListener("abort", end);
      ended.abort();
      await Promise.allSettled([watching, renewing]);
    }
  }

  /** Keeps the lease alive at each third of its TTL; returns when it is gone, or when `ended` is aborted. */
  async #renewOnTime(ended: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      await clock.sleep((this.#lease?.ttlMs ?? 0) / 3, ended, { background: true });
      if (ended.aborted) return;
      try {
        await this.#renew(ended);
      } catch (error) {
        if (ended.aborted) return;
        throw error;
      }
      if (!this.#lease) return;
    }
  }

  /** The deadline of an answer leaves time for another member within the TTL. */
  #call(verb: string, signal: AbortSignal): CallOptions {
    const ttlMs = this.#lease?.ttlMs ?? this.#options.ttlSeconds * 1_000;
    const timeoutMs = Math.min(Math.max(ttlMs / 3, answerBounds.minMs), answerBounds.maxMs);
    return { what: `${verb} ${this.#options.key}`, timeoutMs, signal };
  }
}

/** A TTL of etcd, in milliseconds; at most the longest wait of a timer. */
function toMs(seconds: bigint): number {
  return Math.min(Number(seconds) * 1_000, maxDurationMs);
}
