/**
 * A sum over the last `slots` × `slotMs` milliseconds, kept in as many slots, so that adding costs the same at any rate. Time
 * comes with each call and never goes backwards.
 */
export class SlidingSum {
  readonly #slotMs: number;
  /** The slot that is filling and those before it; slot n of all time is at n modulo their number. */
  readonly #sums: Float64Array;
  #newest = 0;

  constructor(options: { readonly slots: number; readonly slotMs: number }) {
    this.#slotMs = options.slotMs;
    this.#sums = new Float64Array(options.slots + 1);
  }

  /** Adds `amount`, spread evenly over the time from `fromMs` to `nowMs`; all of it now where the two are the same. */
  add(amount: number, nowMs: number, fromMs = nowMs): void {
    this.#roll(nowMs);
    if (fromMs >= nowMs) {
      this.#put(this.#newest, amount);
      return;
    }
    const oldest = Math.max(Math.floor(fromMs / this.#slotMs), this.#newest - this.#sums.length + 1);
    for (let slot = oldest; slot <= this.#newest; slot++) {
      const begin = Math.max(fromMs, slot * this.#slotMs);
      const end = Math.min(nowMs, (slot + 1) * this.#slotMs);
      this.#put(slot, (amount * (end - begin)) / (nowMs - fromMs));
    }
  }

  /** How much was added each millisecond, over the full slots and the part of the newest that has passed. */
  perMs(nowMs: number): number {
    this.#roll(nowMs);
    const passedMs = nowMs - this.#newest * this.#slotMs;
    let sum = 0;
    for (const amount of this.#sums) sum += amount;
    return sum / ((this.#sums.length - 1) * this.#slotMs + passedMs);
  }

  #put(slot: number, amount: number): void {
    const at = slot % this.#sums.length;
    this.#sums[at] = (this.#sums[at] ?? 0) + amount;
  }

  /** Empties the slots that have begun since the newest one. */
  #roll(nowMs: number): void {
    const newest = Math.floor(nowMs / this.#slotMs);
    for (let slot = Math.max(this.#newest + 1, newest - this.#sums.length + 1); slot <= newest; slot++) {
      this.#sums[slot % this.#sums.length] = 0;
    }
    this.#newest = newest;
  }
}
