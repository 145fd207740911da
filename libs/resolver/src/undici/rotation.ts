import { type Backoff, type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { Endpoint } from "@grpc-lb/discovery";

/** How long an endpoint is in backoff: a draw between 0 and a bound that doubles with each failure. */
const backoffBounds = { baseMs: 1_000, maxMs: 30_000 };

/** The endpoint to try next. */
export interface Choice {
  readonly endpoint: Endpoint;
  /** It is in backoff, and chosen because every other one is too: a request that fails there as well is not tried elsewhere. */
  readonly isLastResort: boolean;
}

/**
 * Chooses the endpoints of a list one after the other, however the list changes meanwhile. One that no connection could be
 * opened to is in backoff, and not chosen as long as there is another. When the backoff is over, one request tries it; until
 * that has succeeded, it is in the next backoff for all others. An endpoint that changed has no backoff.
 */
export class Rotation {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #inBackoff = new WeakMap<Endpoint, { readonly backoff: Backoff; untilMs: number }>();
  #last: number;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
    this.#last = Math.floor(random() * 2 ** 16); // so that not all clients begin with the same one
  }

  /** @param tried endpoints that the request has failed on already */
  next(endpoints: readonly Endpoint[], tried: ReadonlySet<Endpoint>): Choice | undefined {
    const endpoint = this.#find(endpoints, (one) => !tried.has(one) && !this.isInBackoff(one));
    if (endpoint) {
      this.#extendBackoff(endpoint);
      return { endpoint, isLastResort: false };
    }
    const other = this.#find(endpoints, (one) => !tried.has(one));
    return other && { endpoint: other, isLastResort: true };
  }

  /** A connection to it was opened. */
  connected(endpoint: Endpoint): void {
    this.#inBackoff.delete(endpoint);
  }

  /** No connection could be opened to it. Several that failed at the same time count once. */
  failed(endpoint: Endpoint): void {
    if (this.#inBackoff.has(endpoint)) {
      if (!this.isInBackoff(endpoint)) this.#extendBackoff(endpoint);
      return;
    }
    const backoff = createBackoff({ ...backoffBounds, random: this.#random });
    this.#inBackoff.set(endpoint, { backoff, untilMs: this.#clock.now() + backoff.next() });
  }

  /** Whether it is not chosen as long as there is another. */
  isInBackoff(endpoint: Endpoint): boolean {
    const entry = this.#inBackoff.get(endpoint);
    return entry !== undefined && this.#clock.now() < entry.untilMs;
  }

  /** Only where there is one. */
  #extendBackoff(endpoint: Endpoint): void {
    const entry = this.#inBackoff.get(endpoint);
    if (entry) entry.untilMs = this.#clock.now() + entry.backoff.next();
  }

  #find(endpoints: readonly Endpoint[], isAllowed: (endpoint: Endpoint) => boolean): Endpoint | undefined {
    for (let step = 1; step <= endpoints.length; step++) {
      const index = (this.#last + step) % endpoints.length;
      const endpoint = endpoints[index];
      if (!endpoint || !isAllowed(endpoint)) continue;
      this.#last = index;
      return endpoint;
    }
    return undefined;
  }
}
