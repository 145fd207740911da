import { status } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import type { OnCallEnded, PickArgs, PickResult } from "../grpc-js.ts";
import type { Child } from "./child.ts";
import type { FailedAttempts } from "./failed-attempts.ts";
import type { CallEnd, CallTotal } from "./policy.ts";

/** Picked but not started; started; given up, from which a call may still start; ended. */
type Stage = "picked" | "active" | "given up" | "ended";

interface Ticket<EndpointState> {
  stage: Stage;
  readonly child: Child<EndpointState>;
  startedMs: number;
  /** Whether it has lasted so long that it does not count any more. */
  isLong: boolean;
  /** The neighbours in the order of their start, while it is active and not long. */
  previous: Ticket<EndpointState> | undefined;
  next: Ticket<EndpointState> | undefined;
}

export interface CallTrackerOptions<EndpointState> {
  readonly clock: Clock;
  readonly onCallEnded: ((child: Child<EndpointState>, end: CallEnd) => void) | undefined;
  readonly failedAttempts: FailedAttempts;
}

/**
 * Counts the calls of each child exactly: after the last call every count is 0.
 *
 * A call counts from its pick, because a burst picks in one tick, before any of its calls has started. But not every pick
 * becomes a call: between the two grpc-js waits for the call credentials, and a call that is cancelled meanwhile, or whose
 * connection goes away, neither starts nor ends. So a pick that has not started by the end of this turn of the event loop is
 * given up, and counted again if it starts after all.
 *
 * A call that lasts longer than `longCallAfterMs` is taken for an idle stream, and does not count any more: grpc-js shows a policy
 * neither a call's method nor its messages, so that a stream cannot be told from a unary call.
 */
export class CallTracker<EndpointState> implements CallTotal {
  readonly #options: CallTrackerOptions<EndpointState>;
  #picked: Ticket<EndpointState>[] = [];
  #inFlight = 0;
  /** After how long a call does not count any more; Infinity for never. */
  #longCallAfterMs = Number.POSITIVE_INFINITY;
  /** The active calls in the order of their start. */
  #oldest: Ticket<EndpointState> | undefined;
  #newest: Ticket<EndpointState> | undefined;
  #timer: AbortController | undefined;
  #isClosed = false;

  constructor(options: CallTrackerOptions<EndpointState>) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  set longCallAfterMs(ms: number) {
    if (ms === this.#longCallAfterMs) return;
    this.#longCallAfterMs = ms;
    this.#stopTimer();
    this.#checkLater();
  }

  /** Ends the timer for good. Calls in flight are counted to their end. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#timer?.abort();
    this.#timer = undefined;
  }

  /**
   * Counts a pick, and the call that may follow from it.
   *
   * @param args of the pick, which identify the call among its retries
   */
  track(child: Child<EndpointState>, result: PickResult, args: PickArgs): PickResult {
    const { clock, failedAttempts } = this.#options;
    const ticket: Ticket<EndpointState> = {
      stage: "picked",
      child,
      startedMs: 0,
      isLong: false,
      previous: undefined,
      next: undefined,
    };
    this.#count(child, 1);
    if (this.#picked.push(ticket) === 1) setImmediate(this.#giveUp);
    const { onCallStarted, onCallEnded } = result;
    // Own properties, because outlier_detection spreads the result; closures, because grpc-js calls them with another `this`.
    return {
      pickResultType: result.pickResultType,
      subchannel: result.subchannel,
      status: null,
      onCallStarted: () => {
        ticket.startedMs = clock.now();
        if (ticket.stage === "given up") this.#count(child, 1);
        ticket.stage = "active";
        this.#append(ticket);
        onCallStarted?.();
      },
      onCallEnded: (code, details, metadata) => {
        if (ticket.stage === "active") this.#end(ticket, code, metadata);
        if (code !== status.OK) failedAttempts.add(args, child.record);
        onCallEnded?.(code, details, metadata);
      },
    } as PickResult;
  }

  #end(ticket: Ticket<EndpointState>, code: CallEnd["status"], metadata: Parameters<OnCallEnded>[2]): void {
    const { child } = ticket;
    const nowMs = this.#options.clock.now();
    ticket.stage = "ended";
    if (!ticket.isLong) {
      this.#remove(ticket);
      this.#count(child, -1);
      child.record.silentSinceMs = nowMs;
    }
    const { startedMs, isLong } = ticket;
    this.#options.onCallEnded?.(child, { durationMs: nowMs - startedMs, isLong, status: code, metadata });
  }

  #append(ticket: Ticket<EndpointState>): void {
    ticket.previous = this.#newest;
    if (this.#newest) this.#newest.next = ticket;
    else this.#oldest = ticket;
    this.#newest = ticket;
    if (this.#timer === undefined) this.#checkLater();
  }

  #remove(ticket: Ticket<EndpointState>): void {
    const { previous, next } = ticket;
    if (previous) previous.next = next;
    else this.#oldest = next;
    if (next) next.previous = previous;
    else this.#newest = previous;
    ticket.previous = undefined;
    ticket.next = undefined;
  }

  /** Takes calls off the count that have lasted too long, and comes back when the next one has. */
  #checkLater(): void {
    const { clock } = this.#options;
    if (this.#isClosed || !this.#oldest || this.#longCallAfterMs === Number.POSITIVE_INFINITY) return;
    const timer = new AbortController();
    this.#timer = timer;
    const waitMs = this.#oldest.startedMs + this.#longCallAfterMs - clock.now();
    void clock.sleep(Math.max(0, waitMs), timer.signal, { background: true }).then(() => {
      if (timer.signal.aborted) return;
      this.#timer = undefined;
      const sinceMs = clock.now() - this.#longCallAfterMs;
      while (this.#oldest && this.#oldest.startedMs <= sinceMs) this.#makeLong(this.#oldest);
      this.#checkLater();
    });
  }

  #makeLong(ticket: Ticket<EndpointState>): void {
    this.#remove(ticket);
    ticket.isLong = true;
    this.#count(ticket.child, -1);
  }

  #count(child: Child<EndpointState>, change: 1 | -1): void {
    const { record } = child;
    this.#inFlight += change;
    record.inFlight += change;
    // The first call has waited longest. A pick that is given up got no response, so it does not end the silence.
    if (change === 1 && record.inFlight === 1) record.silentSinceMs = this.#options.clock.now();
  }

  readonly #giveUp = () => {
    const picked = this.#picked;
    this.#picked = [];
    for (const ticket of picked) {
      if (ticket.stage !== "picked") continue;
      ticket.stage = "given up";
      this.#count(ticket.child, -1);
    }
  };
}
