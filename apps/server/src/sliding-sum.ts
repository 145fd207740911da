/**
 * A sum over the last `slots` × `slotMs` milliseconds. It keeps one number per slot, so that adding costs the same at any rate.
 * The time is a parameter of each call and must never go backwards.
 */
export class SlidingSum {
  readonly #slotMs: number;
  /** The current slot and those before it; slot n is at index n modulo the length. */
  readonly #sums: Float64Array;
  #newest = 0;

  constructor(options: { readonly slots: number; readonly slotMs: number }) {
    this.#slotMs = options.slotMs;
    this.#sums = new Float64Array(options.slots + 1);
  }

  /** Adds `amount`, spread evenly over the time from `fromMs` to `nowMs`; all of it at `nowMs` if the two are equal. */
  add(amount: number, nowMs: number, fromMs = nowMs): void {
    this.#roll(nowMs);
    if (fromMs >= nowMs) {
      this.#put(this.#newest, amount);
      return;
    }
    const oldest = Math.max(Math.floor(fromMs / this.#slotMs), this.#newest - this.#sums.length + 1);
    for (let slot = oldest; slot <= this.#newest; slot++) {
      const start = Math.max(fromMs, slot * this.#slotMs);
      const end = Math.min(nowMs, (slot + 1) * this.#slotMs);
      this.#put(slot, (amount * (end - start)) / (nowMs - fromMs));
    }
  }

  /** The amount per millisecond, over the full slots and the elapsed part of the newest. */
  perMs(nowMs: number): number {
    this.#roll(nowMs);
    const elapsedMs = nowMs - this.#newest * this.#slotMs;
    let sum = 0;
    for (const amount of this.#sums) sum += amount;
    return sum / ((this.#sums.length - 1) * this.#slotMs + elapsedMs);
  }

  #put(slot: number, amount: number): void {
    const at = slot % this.#sums.length;
    this.#sums[at] = (this.#sums[at] ?? 0) + amount;
  }

  /** Clears the slots that have started since the newest one. */
  #roll(nowMs: number): void {
    const newest = Math.floor(nowMs / this.#slotMs);
    for (let slot = Math.max(this.#newest + 1, newest - this.#sums.length + 1); slot <= newest; slot++) {
      this.#sums[slot % this.#sums.length] = 0;
    }
    this.#newest = newest;
  }
}
