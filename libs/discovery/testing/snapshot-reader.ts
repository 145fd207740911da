import assert from "node:assert/strict";
import type { Snapshot } from "../src/core/snapshot.ts";
import type { Source } from "../src/core/source.ts";

/** Reads a source in the background and keeps its snapshots, so that a test can wait for one. */
export class SnapshotReader {
  readonly #ending = new AbortController();
  readonly #snapshots: Snapshot[] = [];
  readonly #ended: Promise<void>;
  #wake: (() => void)[] = [];

  constructor(source: Source) {
    this.#ended = this.#read(source);
  }

  /** All snapshots so far. */
  get snapshots(): readonly Snapshot[] {
    return this.#snapshots;
  }

  get last(): Snapshot | undefined {
    return this.#snapshots.at(-1);
  }

  /** The hosts of the last snapshot, joined with their ports. */
  get addresses(): readonly string[] | undefined {
    return this.last?.endpoints?.map(({ addresses }) => addresses.map(({ host, port }) => `${host}:${port}`).join("+"));
  }

  /** Resolves with the newest snapshot as soon as it satisfies the condition. @throws AssertionError with it after `timeoutMs` */
  async until(what: string, isWanted: (snapshot: Snapshot) => boolean, timeoutMs = 10_000): Promise<Snapshot> {
    const dueMs = performance.now() + timeoutMs;
    for (;;) {
      if (this.last && isWanted(this.last)) return this.last;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake.push(resolve);
      const timer = setTimeout(resolve, dueMs - performance.now());
      await promise;
      clearTimeout(timer);
      if (performance.now() < dueMs) continue;
      assert.fail(`want ${what}; got ${JSON.stringify(this.addresses)}, ${this.last?.error?.message ?? "no error"}`);
    }
  }

  /** Waits for exactly these addresses, `host:port`, in any order. */
  untilAddresses(...wanted: readonly string[]): Promise<Snapshot> {
    const sorted = [...wanted].sort().join(" ");
    return this.until(`[${sorted}]`, () => [...(this.addresses ?? ["unknown"])].sort().join(" ") === sorted);
  }

  /** Ends the watch; resolves when it has ended. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async #read(source: Source): Promise<void> {
    for await (const snapshot of source.watch(this.#ending.signal)) {
      this.#snapshots.push(snapshot);
      for (const wake of this.#wake.splice(0)) wake();
    }
  }
}
