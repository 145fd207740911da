import { type Backoff, type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { Endpoint } from "@grpc-lb/discovery";

/** How long an endpoint is left out: a draw between 0 and a bound that doubles with each failure. */
const leaveOutBounds = { baseMs: 1_000, maxMs: 30_000 };

/** The endpoint to try next. */
export interface Choice {
  readonly endpoint: Endpoint;
  /** It is one that is left out, because there is no other: who fails there as well need not look for one more. */
  readonly isLastResort: boolean;
}

/**
 * Takes the endpoints of a list one after the other, however the list changes meanwhile. One that no connection could be
 * opened to is left out for a while, as long as there is another. When the while is over, one request tries it, and until
 * that has succeeded the others leave it out for the next one. An endpoint that changed begins anew.
 */
export class Rotation {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #leftOut = new WeakMap<Endpoint, { readonly backoff: Backoff; untilMs: number }>();
  #last: number;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
    this.#last = Math.floor(random() * 2 ** 16); // so that clients do not all begin with the same
  }

  /** @param tried those that the request has failed on already */
  next(endpoints: readonly Endpoint[], tried: ReadonlySet<Endpoint>): Choice | undefined {
    const endpoint = this.#find(endpoints, (one) => !tried.has(one) && !this.#isLeftOut(one));
    if (endpoint) {
      this.#leaveOutAgain(endpoint);
      return { endpoint, isLastResort: false };
    }
    const other = this.#find(endpoints, (one) => !tried.has(one));
    return other && { endpoint: other, isLastResort: true };
  }

  /** A connection to it is there. */
  connected(endpoint: Endpoint): void {
    this.#leftOut.delete(endpoint);
  }

  /** No connection could be opened to it. Several that failed at the same time count once. */
  failed(endpoint: Endpoint): void {
    if (this.#leftOut.has(endpoint)) {
      if (!this.#isLeftOut(endpoint)) this.#leaveOutAgain(endpoint);
      return;
    }
    const backoff = createBackoff({ ...leaveOutBounds, random: this.#random });
    this.#leftOut.set(endpoint, { backoff, untilMs: this.#clock.now() + backoff.next() });
  }

  #isLeftOut(endpoint: Endpoint): boolean {
    const entry = this.#leftOut.get(endpoint);
    return entry !== undefined && this.#clock.now() < entry.untilMs;
  }

  /** Only if it was left out before. */
  #leaveOutAgain(endpoint: Endpoint): void {
    const entry = this.#leftOut.get(endpoint);
    if (entry) entry.untilMs = this.#clock.now() + entry.backoff.next();
  }

  #find(endpoints: readonly Endpoint[], isFit: (endpoint: Endpoint) => boolean): Endpoint | undefined {
    for (let step = 1; step <= endpoints.length; step++) {
      const index = (this.#last + step) % endpoints.length;
      const endpoint = endpoints[index];
      if (!endpoint || !isFit(endpoint)) continue;
      this.#last = index;
      return endpoint;
    }
    return undefined;
  }
}
