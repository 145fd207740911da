import { status } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import { hostOfAddress } from "@grpc-lb/core";

/** How many streams a service takes, and how long each may be without its first request. */
export interface StreamGateOptions {
  /** The service, for errors: `ADS`. */
  readonly service: string;
  readonly maxStreams: number;
  readonly maxStreamsPerHost: number;
  readonly firstRequestTimeoutMs: number;
  readonly clock: Clock;
}

/** Why a stream is not served. */
export interface Refusal {
  readonly t: "refused";
  readonly code: status;
  readonly details: string;
  /** Whether that is because the service is closed, and not because of a limit. */
  readonly isClosed: boolean;
}

/** The place of a stream that is served. */
export interface Place {
  readonly t: "admitted";
  /** A request came: the stream may stay. */
  onRequest(): void;
  /** The stream has ended; further calls do nothing. */
  leave(): void;
}

/** What a stream is told that ends, or does not begin, because the service is closed. */
export const closing = "the control plane is shutting down";

/**
 * Admits the streams of one service: so many in all and so many of one host, so that no host takes the place of all others. A stream that
 * sends no request in time is refused later.
 */
export class StreamGate {
  readonly #options: StreamGateOptions;
  readonly #counts = new Map<string, number>();
  #count = 0;
  #isClosed = false;

  constructor(options: StreamGateOptions) {
    this.#options = options;
  }

  /**
   * @param peer the client's address and port
   * @param onLate called when the stream has sent no request in time; it is expected to end it
   */
  admit(peer: string, onLate: (code: status, details: string) => void): Place | Refusal {
    const { service, maxStreams, maxStreamsPerHost, firstRequestTimeoutMs, clock } = this.#options;
    if (this.#isClosed) return { t: "refused", code: status.UNAVAILABLE, details: closing, isClosed: true };
    const exhausted = (details: string): Refusal => {
      return { t: "refused", code: status.RESOURCE_EXHAUSTED, details, isClosed: false };
    };
    if (this.#count >= maxStreams) {
      return exhausted(`the control plane serves at most ${maxStreams} streams of ${service}`);
    }
    const host = hostOfAddress(peer);
    if (this.#countOf(host) >= maxStreamsPerHost) {
      const limit = `the control plane serves at most ${maxStreamsPerHost} streams of ${service} to one host`;
      return exhausted(`${limit}, and ${host} has them`);
    }
    this.#add(host, 1);
    const waiting = new AbortController();
    void clock.sleep(firstRequestTimeoutMs, waiting.signal, { background: true }).then(() => {
      if (!waiting.signal.aborted) onLate(status.DEADLINE_EXCEEDED, `no request came in ${firstRequestTimeoutMs} ms`);
    });
    let hasLeft = false;
    return {
      t: "admitted",
      onRequest: () => waiting.abort(),
      leave: () => {
        if (hasLeft) return;
        hasLeft = true;
        waiting.abort();
        this.#add(host, -1);
      },
    };
  }

  /** Admits no further streams; those that are there stay. */
  close(): void {
    this.#isClosed = true;
  }

  #countOf(host: string): number {
    return this.#counts.get(host) ?? 0;
  }

  #add(host: string, by: 1 | -1): void {
    this.#count += by;
    const count = this.#countOf(host) + by;
    if (count === 0) this.#counts.delete(host);
    else this.#counts.set(host, count);
  }
}
