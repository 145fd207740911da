import { setImmediate } from "node:timers/promises";
import type { Clock } from "@grpc-lb/core";

/**
 * How fast publications follow each other: with a least gap between them, and where one takes longer, with its sending, so long is the pause
 * after it. So changes take at most half of the process's time, however many there are.
 */
export class PublicationPace {
  readonly #clock: Clock;
  readonly #minGapMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, minGapMs: number) {
    this.#clock = clock;
    this.#minGapMs = minGapMs;
  }

  /** Resolves when the next publication may be, at the earliest in the next turn of the event loop; or soon after an abort. */
  async ready(signal: AbortSignal): Promise<void> {
    await setImmediate();
    for (;;) {
      const leftMs = this.#nextMs - this.#clock.now();
      if (leftMs <= 0 || signal.aborted) return;
      await this.#clock.sleep(leftMs, signal, { background: true });
    }
  }

  /** Publishes by `publish`, and begins the pause after it. */
  run(publish: () => void): void {
    const beganMs = this.#clock.now();
    publish();
    this.#pauseSince(beganMs);
    void this.#pauseAfterSending(beganMs);
  }

  /** Streams write in the next turn of the event loop, and HTTP/2 sends what they wrote before the turn after that. */
  async #pauseAfterSending(beganMs: number): Promise<void> {
    await setImmediate();
    await setImmediate();
    this.#pauseSince(beganMs);
  }

  #pauseSince(beganMs: number): void {
    const nowMs = this.#clock.now();
    this.#nextMs = nowMs + Math.max(this.#minGapMs, nowMs - beganMs);
  }
}
