import type { Random } from "@grpc-lb/core";
import type { ConnectionTiming } from "./connection-timing.ts";

/** The delays between failed attempts: the first one, their growth, and the last one. gRPC's own backoff starts at 1 s. */
const initialBackoffMs = 100;
const backoffFactor = 1.6;
const maxBackoffMs = 120_000;
/** Each delay varies by up to this fraction either way, as in gRPC's backoff. */
const jitter = 0.2;

/** What a channel remembers of an endpoint: it outlives the connection, and by `memoryMs` the endpoint's place in the list. */
export class EndpointRecord<EndpointState = unknown> {
  readonly state: EndpointState;
  readonly #timing: ConnectionTiming;
  /** Calls that were picked for it, for its stats. */
  picks = 0;
  /** Calls that were picked for it and have not ended. */
  inFlight = 0;
  /** Since when calls are in flight without one of them ending, in the clock's milliseconds. */
  silentSinceMs = 0;
  /** Since when it has been READY, not counting interruptions of less than `memoryMs`. */
  #readySinceMs = 0;
  /** When the attempt to connect started; undefined while there is none. */
  #attemptAtMs: number | undefined;
  /** When its connection opened; undefined while it has none. */
  #openedAtMs: number | undefined;
  #settleMs = 0;
  #isSettled = false;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #leftAtMs = Number.NEGATIVE_INFINITY;
  /** The number of connections in a row that closed within `minLifetimeMs`. */
  #shortLived = 0;
  #openings = 0;

  constructor(state: EndpointState, timing: ConnectionTiming) {
    this.state = state;
    this.#timing = timing;
  }

  get readySinceMs(): number {
    return this.#readySinceMs;
  }

  /** How often a connection was opened. It identifies a connection: grpc-js may put new objects around the same one at any update. */
  get openings(): number {
    return this.#openings;
  }

  /** The number of connections in a row that closed right after they were opened. */
  get shortLived(): number {
    return this.#shortLived;
  }

  /** An attempt to connect started. */
  attempt(nowMs: number): void {
    this.#attemptAtMs = nowMs;
  }

  /**
   * A connection was opened.
   *
   * @param others what other endpoints there are: with none it takes calls at once, because they have no other one to go to; while
   * the first calls wait for all, it settles soon
   */
  open(nowMs: number, others: "none" | "waiting" | "ready"): void {
    const { memoryMs, minSettleMs, maxSettleMs, maxFirstSettleMs } = this.#timing;
    if (nowMs - this.#closedAtMs >= memoryMs) this.#readySinceMs = nowMs;
    const tookMs = nowMs - (this.#attemptAtMs ?? nowMs);
    const maxMs = others === "ready" ? maxSettleMs : maxFirstSettleMs;
    this.#attemptAtMs = undefined;
    this.#openedAtMs = nowMs;
    this.#openings += 1;
    this.#settleMs = others === "none" ? 0 : Math.min(Math.max(tookMs, minSettleMs), maxMs);
    this.#isSettled = this.#settleMs === 0;
  }

  /** How long a connection must last before it counts as settled, in milliseconds. */
  get settleMs(): number {
    return this.#settleMs;
  }

  /** Whether there is a connection that was opened before `ms`, in the clock's milliseconds, and has not settled yet. */
  isSettling(ms: number): boolean {
    return !this.#isSettled && this.#openedAtMs !== undefined && this.#openedAtMs < ms;
  }

  /**
   * The connection was closed.
   *
   * @returns how long to wait before the next attempt, in milliseconds; 0 unless connections keep closing right after they opened
   */
  close(nowMs: number, random: Random): number {
    const openedAtMs = this.#openedAtMs ?? nowMs;
    this.#openedAtMs = undefined;
    this.#isSettled = false;
    this.#closedAtMs = nowMs;
    if (nowMs - openedAtMs >= this.#timing.minLifetimeMs) {
      this.#shortLived = 0;
      return 0;
    }
    const backoffMs = Math.min(initialBackoffMs * backoffFactor ** this.#shortLived, maxBackoffMs);
    this.#shortLived += 1;
    return backoffMs * (1 + jitter * (2 * random() - 1));
  }

  /** Whether the connection has lasted for `settleMs`; false while there is none. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The connection has lasted for `settleMs`. */
  settle(): void {
    this.#isSettled = true;
  }

  /** When the connection can be trusted to last, after short-lived ones; -Infinity when there were none. */
  get trustedAtMs(): number {
    if (this.#shortLived === 0 || this.#openedAtMs === undefined) return Number.NEGATIVE_INFINITY;
    return this.#openedAtMs + this.#timing.trustAfterMs;
  }

  /** Whether the record of an endpoint that is not in the list can be dropped. */
  isForgettable(nowMs: number): boolean {
    return this.inFlight === 0 && nowMs - Math.max(this.#closedAtMs, this.#leftAtMs) >= this.#timing.memoryMs;
  }

  /** The endpoint has left the list. Its connection, if it has one, is closed too. */
  leave(nowMs: number): void {
    this.#leftAtMs = nowMs;
    if (this.#openedAtMs === undefined) return;
    this.#openedAtMs = undefined;
    this.#isSettled = false;
    this.#closedAtMs = nowMs;
  }
}
