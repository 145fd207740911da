import type { status } from "@grpc/grpc-js";
import { type Clock, maxDurationMs, type Random } from "@grpc-lb/core";
import { type Faults, formatFaults, slowStartExtraMs } from "./faults.ts";

/** What the faults make of a call: it goes on, its client has gone meanwhile, or it fails. */
export type FaultOutcome =
  | { readonly t: "pass" }
  | { readonly t: "gone" }
  | { readonly t: "error"; readonly code: status };

interface Active {
  readonly faults: Faults;
  readonly sinceMs: number;
  /** Aborted when these faults end. */
  readonly ending: AbortController;
}

const pass: FaultOutcome = { t: "pass" };

/** The faults of a server that runs. They are none at first. */
export class FaultInjector {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listeners: (() => void)[] = [];
  #active: Active | undefined;
  #isClosed = false;

  constructor(parts: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** The faults of now. */
  get faults(): Faults {
    return this.#active?.faults ?? {};
  }

  /** Whether calls have faults. If not, `apply` lets each pass. */
  get hasCallFaults(): boolean {
    const { delay, error, hang, slowStartMs } = this.faults;
    return delay !== undefined || error !== undefined || hang !== undefined || slowStartMs !== undefined;
  }

  /** The faults as text, with the time that is left; `none` without any. */
  describe(): string {
    const { faults, sinceMs } = this.#active ?? {};
    if (!faults || sinceMs === undefined) return "none";
    const { forMs } = faults;
    if (forMs === undefined) return formatFaults(faults);
    const leftMs = Math.max(0, forMs - (this.#clock.now() - sinceMs));
    return formatFaults({ ...faults, forMs: Math.ceil(leftMs / 1_000) * 1_000 });
  }

  /** Calls `listener` after each change, also when the faults end by themselves. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Replaces the faults. Calls that they delay or hang continue at once.
   *
   * @throws Error once the injector is closed
   */
  set(faults: Faults): void {
    if (this.#isClosed) throw new Error("the server is draining: it takes no faults any more");
    const active: Active = { faults, sinceMs: this.#clock.now(), ending: new AbortController() };
    this.#replace(active);
    if (faults.forMs !== undefined) void this.#expire(active, faults.forMs);
  }

  /** Ends the faults. Calls that they delay or hang continue at once, and no timer is left. */
  clear(): void {
    if (this.#active) this.#replace(undefined);
  }

  /** Ends the faults for good, so that they cannot delay the end of the server. */
  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Makes a call wait as the faults want it; never rejects. If these faults end meanwhile, the call passes.
   *
   * @param gone aborted when the client has gone
   */
  async apply(gone: AbortSignal): Promise<FaultOutcome> {
    const active = this.#active;
    if (!active) return pass;
    const { delay, error, hang } = active.faults;
    const hits = (fault: { readonly share: number } | undefined) => fault !== undefined && this.#random() < fault.share;
    const delayMs = this.#slowStartMs(active) + (delay && hits(delay) ? delay.ms : 0);
    const [hangs, fails] = [hits(hang), hits(error)];
    const ended = active.ending.signal;
    const either = delayMs > 0 || hangs ? AbortSignal.any([gone, ended]) : gone;
    if (delayMs > 0) await this.#clock.sleep(delayMs, either);
    if (hangs) await this.#clock.sleep(maxDurationMs, either);
    if (gone.aborted) return { t: "gone" };
    if (ended.aborted) return pass;
    return error && fails ? { t: "error", code: error.code } : pass;
  }

  #slowStartMs({ faults: { slowStartMs = 0 }, sinceMs }: Active): number {
    const leftMs = slowStartMs - (this.#clock.now() - sinceMs);
    return leftMs > 0 ? (slowStartExtraMs * leftMs) / slowStartMs : 0;
  }

  async #expire(active: Active, forMs: number): Promise<void> {
    await this.#clock.sleep(forMs, active.ending.signal, { background: true });
    if (this.#active === active) this.clear();
  }

  #replace(next: Active | undefined): void {
    this.#active?.ending.abort();
    this.#active = next;
    for (const listener of this.#listeners) listener();
  }
}
