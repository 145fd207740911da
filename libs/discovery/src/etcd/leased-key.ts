import type { Clock } from "@grpc-lb/core";
import {
  KVService,
  LeaseGrantRequest,
  LeaseService,
  PutRequest,
  RangeRequest,
  WatchCreateRequest,
  WatchService,
} from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { Event_EventType } from "@grpc-lb/protos/etcd/api/mvccpb";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { CallOptions, Cluster } from "./cluster.ts";
import { describeCancel, describeFailure, isLeaseGone } from "./etcd-error.ts";

/** What is to be held, and where. */
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
  /** When it was granted or kept alive last, at the latest; by the clock. */
  readonly aliveMs: number;
}

/** How long deregistering may take; after that the lease's end does it. */
const releaseMs = 3_000;
/** How long one member may take for it, and the least that is tried. */
const revokeMs = 1_000;
const answerBounds = { leastMs: 500, mostMs: 5_000 };

/** A key of etcd that lives with a lease, which is kept alive. */
export class LeasedKey {
  readonly #options: LeasedKeyOptions;
  #lease: Lease | undefined;
  #isWritten = false;
  /** How often the key was written. */
  writes = 0;

  constructor(options: LeasedKeyOptions) {
    this.#options = options;
  }

  /** Whether etcd has the key, as far as is known: what could not be kept alive ends with its TTL. */
  get isHeld(): boolean {
    const { clock } = this.#options;
    return this.#isWritten && this.#lease !== undefined && clock.now() < this.#lease.aliveMs + this.#lease.ttlMs;
  }

  /**
   * Brings the key there and keeps it there until `signal` is aborted. Returns when it is gone, so that it is to be brought
   * there again, and throws when etcd cannot be asked. A lease that is still alive is used again.
   *
   * @param onHeld called each time when etcd has said that the key is there
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

  /** Ends the lease, and the key with it; in any case returns in time, and does not throw. */
  async release(): Promise<void> {
    const { clock, cluster } = this.#options;
    const lease = this.#lease;
    if (!lease) return;
    const nowMs = clock.now();
    // One that is over by our clock may live: etcd gives each lease its whole TTL again when it restarts.
    const untilMs = Math.max(Math.min(nowMs + releaseMs, lease.aliveMs + lease.ttlMs), nowMs + revokeMs);
    const done = new AbortController();
    // Here the process is to live on, though no socket keeps it alive.
    void clock.sleep(untilMs - nowMs, done.signal);
    while (clock.now() < untilMs) {
      const timeoutMs = Math.min(revokeMs, untilMs - clock.now());
      const options = { what: `revoke the lease of ${this.#options.key}`, timeoutMs, signal: done.signal };
      const began = clock.now();
      try {
        await cluster.call(LeaseService.leaseRevoke, { ID: lease.id }, options);
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

  /** The error that is told outside. */
  describe(cause: unknown): DiscoveryError {
    return describeFailure(`register ${this.#options.key} on ${this.#options.cluster.name}`, undefined, cause);
  }

  async #grant(signal: AbortSignal): Promise<void> {
    const { cluster, clock, ttlSeconds } = this.#options;
    const atMs = clock.now();
    const request = LeaseGrantRequest.fromPartial({ TTL: BigInt(ttlSeconds) });
    const granted = await cluster.call(LeaseService.leaseGrant, request, this.#call("grant a lease for", signal));
    if (granted.error) throw new Error(granted.error);
    this.#isWritten = false;
    this.#lease = { id: granted.ID, ttlMs: Number(granted.TTL) * 1_000, aliveMs: atMs };
  }

  /** Keeps the lease alive; forgets it when etcd does not know it any more. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { cluster, clock } = this.#options;
    const lease = this.#lease;
    if (!lease) return;
    const atMs = clock.now();
    const { TTL } = await cluster.call(LeaseService.leaseKeepAlive, { ID: lease.id }, this.#call("keep alive", signal));
    this.#lease = TTL > 0n ? { ...lease, ttlMs: Number(TTL) * 1_000, aliveMs: atMs } : undefined;
  }

  /** Writes the key, unless it was written and is there; returns the revision at which it was there. */
  async #write(signal: AbortSignal): Promise<bigint> {
    const { cluster } = this.#options;
    const [key, value] = [Buffer.from(this.#options.key), Buffer.from(this.#options.value)];
    const lease = this.#lease?.id ?? 0n;
    if (this.#isWritten) {
      const read = await cluster.call(KVService.range, RangeRequest.fromPartial({ key }), this.#call("read", signal));
      // With another lease it is a successor's at the same address; when that goes, the watch tells.
      if (read.kvs.length > 0) return read.header?.revision ?? 0n;
    }
    this.#isWritten = false;
    const request = PutRequest.fromPartial({ key, value, lease });
    const { header } = await cluster.call(KVService.put, request, this.#call("write", signal));
    this.writes += 1;
    return header?.revision ?? 0n;
  }

  /** Keeps the lease alive and watches the key, until one of them is gone. */
  async #keep(startRevision: bigint, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    await cluster.stream(WatchService.watch, this.#call("watch", signal), async (call) => {
      const value = WatchCreateRequest.fromPartial({ key: Buffer.from(this.#options.key), startRevision });
      call.send({ requestUnion: { $case: "createRequest", value } });
      const ended = new AbortController();
      const renewing = this.#renewOnTime(ended.signal).then(
        () => call.end(),
        (error) => call.end(error),
      );
      try {
        for await (const responses of call.batches()) {
          if (signal.aborted) return;
          const end = responses.find(({ canceled }) => canceled);
          const last = responses.flatMap(({ events }) => events).at(-1);
          if (last?.type === Event_EventType.DELETE || (end && end.compactRevision > 0n)) return;
          if (end) throw describeCancel(end.cancelReason);
        }
      } finally {
        ended.abort();
        await renewing;
      }
    });
  }

  /** Keeps the lease alive at each third of its time; returns when it is gone, or when `ended` is aborted. */
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

  /** An answer must come while the lease still leaves the time to ask another member. */
  #call(verb: string, signal: AbortSignal): CallOptions {
    const ttlMs = this.#lease?.ttlMs ?? this.#options.ttlSeconds * 1_000;
    const timeoutMs = Math.min(Math.max(ttlMs / 3, answerBounds.leastMs), answerBounds.mostMs);
    return { what: `${verb} ${this.#options.key}`, timeoutMs, signal };
  }
}
