/**
 * A latency that goes up at once and comes down slowly: an exponentially weighted moving average over time, peak-sensitive.
 * All times are in milliseconds of one clock.
 */
export class Latency {
  #averageMs: number | undefined;
  #updatedMs = 0;

  /** Whether there was an answer yet. */
  get isKnown(): boolean {
    return this.#averageMs !== undefined;
  }

  /**
   * The latency to expect now. It falls with the time since the last answer, so that an endpoint which was left is tried again.
   *
   * @param unknownMs what it is before the first answer
   */
  at(nowMs: number, decayMs: number, unknownMs: number): number {
    if (this.#averageMs === undefined) return unknownMs;
    return this.#averageMs * Math.exp((this.#updatedMs - nowMs) / decayMs);
  }

  /** An answer came after `latencyMs`. */
  observe(latencyMs: number, nowMs: number, decayMs: number): void {
    const averageMs = this.#averageMs;
    if (averageMs === undefined || latencyMs > averageMs) {
      this.#averageMs = latencyMs;
    } else {
      const kept = Math.exp((this.#updatedMs - nowMs) / decayMs);
      this.#averageMs = averageMs * kept + latencyMs * (1 - kept);
    }
    this.#updatedMs = nowMs;
  }

  /** A call failed: twice as slow as was thought, at least `leastMs`, and at most `decayMs` unless it took longer. */
  penalize(latencyMs: number, nowMs: number, decayMs: number, leastMs: number): void {
    const doubled = Math.min(decayMs, 2 * Math.max(this.#averageMs ?? 0, leastMs));
    this.observe(Math.max(latencyMs, doubled), nowMs, decayMs);
  }
}
