import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { DiscoveryError, type Snapshot, type Source } from "@grpc-lb/discovery";

/** Takes each newer snapshot. */
export type SnapshotListener = (snapshot: Snapshot) => void;

/** What a shared source is made with. */
export interface SharedSourceOptions {
  readonly clock: Clock;
  readonly random?: Random;
  /** Called when the last subscriber has gone, its watch has ended, and nobody came meanwhile. */
  readonly onEnded?: () => void;
}

/** A source says its errors in snapshots; one that throws is begun again, but not in a hurry. */
const restartBounds = { baseMs: 1_000, maxMs: 30_000 };

/**
 * One watch for however many channels look at the same target: it begins with the first subscriber and ends with the last.
 * Who comes while it runs is told what is known at once; who comes after it had ended waits for what is true then.
 *
 * Good endpoints outlive whatever the source does: an error that comes without endpoints, an exception, an early end.
 */
export class SharedSource<S extends Source = Source> {
  readonly source: S;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onEnded: (() => void) | undefined;
  readonly #listeners = new Set<SnapshotListener>();
  #latest: Snapshot | undefined;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  /** Watches that were told to end and have not. */
  #ending = 0;

  constructor(source: S, options: SharedSourceOptions) {
    this.source = source;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#onEnded = options.onEnded;
  }

  get latest(): Snapshot | undefined {
    return this.#latest;
  }

  get subscribers(): number {
    return this.#listeners.size;
  }

  /** The listener is called at once when something is known, and with each newer snapshot until it is unsubscribed. */
  subscribe(listener: SnapshotListener): void {
    this.#listeners.add(listener);
    if (!this.#running) {
      const controller = new AbortController();
      this.#running = { controller, ended: this.#run(controller.signal) };
    } else if (this.#latest) {
      this.#tell(listener, this.#latest);
    }
  }

  /** After it the listener is not called. Resolves, if it was the last one, when the watch has ended. */
  async unsubscribe(listener: SnapshotListener): Promise<void> {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    const running = this.#running;
    this.#running = undefined;
    this.#latest = undefined;
    this.#ending += 1;
    running?.controller.abort();
    await running?.ended;
    this.#ending -= 1;
    if (!this.#running && this.#ending === 0) this.#onEnded?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ ...restartBounds, random: this.#random });
    while (!signal.aborted) {
      try {
        for await (const snapshot of this.source.watch(signal)) {
          if (signal.aborted) return;
          backoff.reset();
          this.#set(snapshot);
        }
        return; // whatever it said last stays true
      } catch (cause) {
        if (signal.aborted) return; // nobody is left to hear of it
        const { subject } = this.source;
        const error = new DiscoveryError("unavailable", `${subject}: ${(cause as Error)?.message ?? cause}`, { cause });
        this.#set({ subject, endpoints: undefined, lastSyncMs: undefined, serviceConfig: undefined, error });
      }
      await this.#clock.sleep(backoff.next(), signal, { background: true });
    }
  }

  #set(next: Snapshot): void {
    const { endpoints, lastSyncMs, serviceConfig } = this.#latest ?? next;
    const hasLost = next.endpoints === undefined && endpoints !== undefined;
    const snapshot = hasLost ? { ...next, endpoints, lastSyncMs, serviceConfig } : next;
    this.#latest = snapshot;
    for (const listener of [...this.#listeners]) {
      if (snapshot !== this.#latest) return; // a listener ended the watch
      if (this.#listeners.has(listener)) this.#tell(listener, snapshot);
    }
  }

  /** An exception of one channel's policy must not keep the news from the other channels. */
  #tell(listener: SnapshotListener, snapshot: Snapshot): void {
    try {
      listener(snapshot);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
