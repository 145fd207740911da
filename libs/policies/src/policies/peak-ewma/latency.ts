/**
 * A latency estimate that rises at once and falls slowly: a peak-sensitive moving average, exponentially weighted over time.
 * All times are milliseconds of one clock.
 */
export class Latency {
  #averageMs: number | undefined;
  #updatedMs = 0;

  /** Whether a latency was ever observed. */
  get isKnown(): boolean {
    return this.#averageMs !== undefined;
  }

  /**
   * The latency to expect now. It decays with the time since the last observation, so that an endpoint that was avoided is
   * tried again.
   *
   * @param unknownMs the result before the first observation
   */
  at(nowMs: number, decayMs: number, unknownMs: number): number {
    if (this.#averageMs === undefined) return unknownMs;
    return this.#averageMs * Math.exp((this.#updatedMs - nowMs) / decayMs);
  }

  /** Records that a call took `latencyMs`. */
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

  /** Records a failed call as twice the estimate, at least `minMs`, and at most `decayMs` unless the call took longer. */
  penalize(latencyMs: number, nowMs: number, decayMs: number, minMs: number): void {
    const doubled = Math.min(decayMs, 2 * Math.max(this.#averageMs ?? 0, minMs));
    this.observe(Math.max(latencyMs, doubled), nowMs, decayMs);
  }
}
