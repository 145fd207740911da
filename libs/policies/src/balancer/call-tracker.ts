import type { Clock } from "@grpc-lb/core";
import type { Child } from "./child.ts";
import type { OnCallEnded, PickResult } from "../grpc-js.ts";
import type { CallEnd, CallTotal } from "./policy.ts";

/** A pick: not yet started; started; started after it was given up; or over. */
type Stage = "picked" | "active" | "given up" | "ended";

interface Ticket {
  stage: Stage;
  readonly child: Child;
}

/** What a tracker is made with. */
export interface CallTrackerOptions<Load> {
  readonly clock: Clock;
  readonly onCallEnded: ((child: Child<Load>, end: CallEnd) => void) | undefined;
}

/**
 * Counts the calls of each child, exactly: after the last call every count is 0.
 *
 * A call counts from its pick, as a burst in one tick picks before any of it has started. But not every pick becomes a call:
 * grpc-js asks the call credentials in between, and a call that is cancelled meanwhile, or whose connection has gone, never
 * starts and never ends. So a pick that has not started by the end of this turn of the event loop is given up, and counted
 * again from its start, if that comes.
 */
export class CallTracker<Load> implements CallTotal {
  readonly #options: CallTrackerOptions<Load>;
  #picked: Ticket[] = [];
  #inFlight = 0;

  constructor(options: CallTrackerOptions<Load>) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts a pick, and the call that may become of it. */
  track(child: Child<Load>, result: PickResult): PickResult {
    const { clock } = this.#options;
    const ticket: Ticket = { stage: "picked", child: child as Child };
    let startedMs = 0;
    this.#count(child as Child, 1);
    if (this.#picked.push(ticket) === 1) setImmediate(this.#giveUp);
    const { onCallStarted, onCallEnded } = result;
    // Own properties, since outlier_detection spreads the result; closures, since grpc-js calls them with another `this`.
    return {
      pickResultType: result.pickResultType,
      subchannel: result.subchannel,
      status: null,
      onCallStarted: () => {
        startedMs = clock.now();
        if (ticket.stage === "given up") this.#count(child as Child, 1);
        ticket.stage = "active";
        onCallStarted?.();
      },
      onCallEnded: (status, details, metadata) => {
        if (ticket.stage === "active") this.#end(child, ticket, startedMs, status, metadata);
        onCallEnded?.(status, details, metadata);
      },
    } as PickResult;
  }

  #end(
    child: Child<Load>,
    ticket: Ticket,
    startedMs: number,
    status: CallEnd["status"],
    metadata: Parameters<OnCallEnded>[2],
  ): void {
    ticket.stage = "ended";
    this.#count(child as Child, -1);
    child.quietSinceMs = this.#options.clock.now();
    this.#options.onCallEnded?.(child, { durationMs: this.#options.clock.now() - startedMs, status, metadata });
  }

  #count(child: Child, change: 1 | -1): void {
    this.#inFlight += change;
    child.inFlight += change;
    // Nobody has waited longer than the first. A pick that is given up is no answer, and says nothing of the server.
    if (change === 1 && child.inFlight === 1) child.quietSinceMs = this.#options.clock.now();
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
