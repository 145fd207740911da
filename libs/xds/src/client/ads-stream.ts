import { status } from "@grpc/grpc-js";
import { type Backoff, type Clock, createBackoff, formatDuration, type Random } from "@grpc-lb/core";
import { type RpcCall, RpcStatus } from "../channel/index.ts";
import type { Exchange } from "./exchange.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What a stream is made with. */
export interface AdsStreamOptions<Q, R> {
  readonly call: RpcCall<Q, R>;
  readonly exchange: Exchange<Q, R>;
  /** By the URL of the type. */
  readonly subscriptions: ReadonlyMap<string, Subscriptions>;
  readonly clock: Clock;
  readonly random: Random;
  /** Called with each response, and when a stream that needs none has lasted for a second. */
  readonly onServed: () => void;
}

/** How long a stream must last until what it resumed from counts as current: a server that has no news sends nothing. */
const resumedMs = 1_000;
/** A server that sends and does not read would have its answers collect here: its stream ends when it takes none for so long. */
const takenWithinMs = 30_000;
/** How often watchers hear that the stream is well. */
const currentMs = 10_000;
/** A server may send a resource again as soon as it is rejected: the first rejection is sent at once, further ones after a pause. */
const rejectionBounds = { baseMs: 200, maxMs: 4_000 };
/** The most rejections of a type that wait for the end of a pause: the oldest ones of a server that sends more meanwhile stay without an answer. */
const maxPaused = 100;

/** One stream of ADS: requests what is watched, takes over what comes, and accepts or rejects it. */
export class AdsStream<Q, R extends { readonly typeUrl: string }> {
  readonly #options: AdsStreamOptions<Q, R>;
  readonly #ended = new AbortController();
  /** The types whose last response was rejected. */
  readonly #rejected = new Map<string, Backoff>();
  /** By type: the rejections that wait for the end of a pause, in their order. */
  readonly #paused = new Map<string, Q[]>();
  #isUpdating = false;

  constructor(options: AdsStreamOptions<Q, R>) {
    this.#options = options;
  }

  /** Runs until the stream ends; throws why. Nothing is left then. */
  async run(): Promise<never> {
    const { call } = this.#options;
    try {
      this.#sendUpdates();
      void this.#keepCurrent();
      for await (const batch of call.batches()) {
        for (const response of batch) this.#receive(response);
        await this.#untilTaken();
      }
      throw new RpcStatus(status.UNAVAILABLE, "the stream was ended without an error");
    } finally {
      this.#ended.abort();
      call.end();
    }
  }

  /** What is watched has changed: it is sent with the other changes of this turn of the event loop. */
  update(): void {
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    setImmediate(async () => {
      await this.#untilTaken();
      this.#isUpdating = false;
      if (!this.#ended.signal.aborted) this.#sendUpdates();
    });
  }

  /** Waits while the server takes no more requests; ends the stream when that lasts too long. */
  async #untilTaken(): Promise<void> {
    const { call, clock } = this.#options;
    if (!call.isFull) return;
    const taken = new AbortController();
    void clock.sleep(takenWithinMs, taken.signal, { background: true }).then(() => {
      if (taken.signal.aborted) return;
      const why = `it has not read what it was sent for ${formatDuration(takenWithinMs)}`;
      call.end(new RpcStatus(status.RESOURCE_EXHAUSTED, why));
    });
    await call.taken();
    taken.abort();
  }

  #sendUpdates(): void {
    const { call, exchange, subscriptions } = this.#options;
    for (const each of subscriptions.values()) {
      each.prune();
      const update = exchange.update(each);
      if (!update) continue;
      // By the state of the world it has the nonce of the last response: without its rejection that would be accepted.
      this.#sendPaused(each.type.typeUrl);
      call.send(update.request);
      each.onRequested(update.requested);
    }
  }

  #receive(response: R): void {
    const { call, exchange, subscriptions, random, onServed } = this.#options;
    const { typeUrl } = response;
    const own = subscriptions.get(typeUrl);
    if (!own) return; // of a type that was never requested
    const rejection = exchange.receive(own, response);
    onServed();
    const answer = exchange.acknowledge(own, response, rejection);
    const pauses = this.#rejected.get(typeUrl);
    if (rejection === undefined) {
      this.#rejected.delete(typeUrl);
      this.#sendPaused(typeUrl); // an answer to a later response would stand for these, too
      call.send(answer);
    } else if (!pauses) {
      this.#rejected.set(typeUrl, createBackoff({ ...rejectionBounds, random }));
      call.send(answer);
    } else this.#pause(typeUrl, answer, pauses);
  }

  #pause(typeUrl: string, rejection: Q, pauses: Backoff): void {
    const paused = this.#paused.get(typeUrl);
    if (paused) {
      paused.push(rejection);
      if (paused.length > maxPaused) paused.shift();
      return;
    }
    const own = [rejection];
    this.#paused.set(typeUrl, own);
    void this.#options.clock.sleep(pauses.next(), this.#ended.signal, { background: true }).then(() => {
      if (!this.#ended.signal.aborted && this.#paused.get(typeUrl) === own) this.#sendPaused(typeUrl);
    });
  }

  #sendPaused(typeUrl: string): void {
    for (const rejection of this.#paused.get(typeUrl) ?? []) this.#options.call.send(rejection);
    this.#paused.delete(typeUrl);
  }

  async #keepCurrent(): Promise<void> {
    const { subscriptions, clock, onServed } = this.#options;
    const { signal } = this.#ended;
    for (let ms = resumedMs; ; ms = currentMs) {
      await clock.sleep(ms, signal, { background: true });
      if (signal.aborted) return;
      const all = [...subscriptions.values()];
      if (all.every(({ isAnswered }) => isAnswered)) onServed(); // else nothing shows that the server answers at all
      for (const each of all) each.onCurrent(ms === currentMs);
    }
  }
}
