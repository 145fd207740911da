import { status } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import type { OnCallEnded, PickResult } from "../grpc-js.ts";
import type { Child } from "./child.ts";
import type { CallEnd, CallTotal } from "./policy.ts";

/** Picked but not started; started; given up, from which a call may still start; ended. */
type Stage = "picked" | "active" | "given up" | "ended";

interface Ticket<EndpointState> {
  stage: Stage;
  readonly child: Child<EndpointState>;
}

export interface CallTrackerOptions<EndpointState> {
  readonly clock: Clock;
  readonly onCallEnded: ((child: Child<EndpointState>, end: CallEnd) => void) | undefined;
}

/**
 * Counts the calls of each child exactly: after the last call every count is 0.
 *
 * A call counts from its pick, because a burst picks in one tick, before any of its calls has started. But not every pick
 * becomes a call: between the two grpc-js waits for the call credentials, and a call that is cancelled meanwhile, or whose
 * connection goes away, neither starts nor ends. So a pick that has not started by the end of this turn of the event loop is
 * given up, and counted again if it starts after all.
 */
export class CallTracker<EndpointState> implements CallTotal {
  readonly #options: CallTrackerOptions<EndpointState>;
  #picked: Ticket<EndpointState>[] = [];
  #inFlight = 0;

  constructor(options: CallTrackerOptions<EndpointState>) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Counts a pick, and the call that may follow from it.
   *
   * @param onFailed called when the call ends with another status than OK
   */
  track(child: Child<EndpointState>, result: PickResult, onFailed?: () => void): PickResult {
    const { clock } = this.#options;
    const ticket: Ticket<EndpointState> = { stage: "picked", child };
    let startedMs = 0;
    this.#count(child, 1);
    if (this.#picked.push(ticket) === 1) setImmediate(this.#giveUp);
    const { onCallStarted, onCallEnded } = result;
    // Own properties, because outlier_detection spreads the result; closures, because grpc-js calls them with another `this`.
    return {
      pickResultType: result.pickResultType,
      subchannel: result.subchannel,
      status: null,
      onCallStarted: () => {
        startedMs = clock.now();
        if (ticket.stage === "given up") this.#count(child, 1);
        ticket.stage = "active";
        onCallStarted?.();
      },
      onCallEnded: (code, details, metadata) => {
        if (ticket.stage === "active") this.#end(ticket, startedMs, code, metadata);
        if (code !== status.OK) onFailed?.();
        onCallEnded?.(code, details, metadata);
      },
    } as PickResult;
  }

  #end(
    ticket: Ticket<EndpointState>,
    startedMs: number,
    code: CallEnd["status"],
    metadata: Parameters<OnCallEnded>[2],
  ): void {
    const { child } = ticket;
    const nowMs = this.#options.clock.now();
    ticket.stage = "ended";
    this.#count(child, -1);
    child.record.silentSinceMs = nowMs;
    this.#options.onCallEnded?.(child, { durationMs: nowMs - startedMs, status: code, metadata });
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
