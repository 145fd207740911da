import type { Endpoint } from "@grpc-lb/discovery";

/** What a dispatcher knows of one endpoint. */
export interface DispatcherEndpointStats {
  readonly endpoint: Endpoint;
  /** Whether requests avoid it, because no connection to it could be opened. */
  readonly isInBackoff: boolean;
  /** Requests that were sent to it, or tried to connect to it, since it last changed. */
  readonly picks: number;
  /** Those of them that have not ended: whose answer has not arrived as a whole. */
  readonly inFlight: number;
}

/** What a dispatcher knows now. */
export interface DispatcherStats {
  /** As in the messages of `dispatcherChannels`. */
  readonly target: string | undefined;
  /** What is watched, for messages: `service default/server`. */
  readonly subject: string;
  /** Empty before the first request, and after the end. */
  readonly endpoints: readonly DispatcherEndpointStats[];
  /** Requests that wait until the source knows something. */
  readonly waiting: number;
  /** What is wrong with the source now; undefined when nothing is. */
  readonly error: string | undefined;
}

interface Counts {
  picks: number;
  inFlight: number;
}

/** Counts the requests of each endpoint. */
export class EndpointCounts {
  readonly #counts = new WeakMap<Endpoint, Counts>();

  /** A request goes to the endpoint. */
  begin(endpoint: Endpoint): void {
    const counts = this.of(endpoint);
    counts.picks += 1;
    counts.inFlight += 1;
    this.#counts.set(endpoint, counts);
  }

  /** It has ended there. */
  end(endpoint: Endpoint): void {
    this.of(endpoint).inFlight -= 1;
  }

  of(endpoint: Endpoint): Counts {
    return this.#counts.get(endpoint) ?? { picks: 0, inFlight: 0 };
  }
}
