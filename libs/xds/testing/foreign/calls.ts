import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "@grpc-lb/core";
import type { ForeignClient } from "./clients.ts";

/** How often a client calls. */
export interface CallsOptions {
  /** How many calls are in progress at the same time. Default: 2. */
  readonly atOnce?: number;
  /** The time between a call and the next, in milliseconds. Default: 5. */
  readonly gapMs?: number;
  /** How calls fail that do not count as failed, as long as they are fewer than one in a hundred. Default: none do. */
  readonly ownFault?: RegExp | undefined;
}

/** The pod of a call, or why it failed. */
type Outcome = { readonly pod: string; readonly atMs: number } | { readonly error: string; readonly atMs: number };

/** So many calls in a row show which pods are in use. */
const settled = 24;
/** Longer than the slowest machine needs: only a failing test waits this long. */
const defaultWithinMs = 30_000;

/** Resolves after the first call that succeeds, from when on none may fail. @throws the error of the last one that failed */
export async function untilCalled(client: ForeignClient): Promise<void> {
  for (const endMs = performance.now() + defaultWithinMs; ; await delay(50)) {
    try {
      return void (await client.call());
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}

/** Calls of a client that go on until `stop`, whatever a test changes meanwhile. */
export class Calls {
  readonly #client: ForeignClient;
  readonly #outcomes: Outcome[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #loops: Promise<void>[];
  readonly #ownFault: RegExp | undefined;
  #isStopped = false;

  constructor(client: ForeignClient, { atOnce = 2, gapMs = 5, ownFault }: CallsOptions = {}) {
    this.#client = client;
    this.#ownFault = ownFault;
    this.#loops = Array.from({ length: atOnce }, () => this.#loop(gapMs));
  }

  /** How many have ended. */
  get count(): number {
    return this.#outcomes.length;
  }

  /** The reasons of those that failed. @param from the count before the first that matters */
  failures(from = 0): string[] {
    return this.#outcomes.slice(from).flatMap((outcome) => ("error" in outcome ? outcome.error : []));
  }

  /** How many failed by the client's own fault. */
  get ownFailures(): number {
    return this.failures().filter((reason) => this.#ownFault?.test(reason)).length;
  }

  /** @throws AssertionError that says how many failed, and why */
  assertNoneFailed(from = 0): void {
    const failures = this.failures(from).filter((reason) => !this.#ownFault?.test(reason));
    assert.ok(
      this.ownFailures * 100 < this.count,
      `${this.ownFailures} of ${this.count} calls failed by ${this.#ownFault}`,
    );
    assert.equal(failures.length, 0, `${failures.length} of ${this.count - from} calls failed: ${failures.at(-1)}`);
  }

  /** The pods of the next calls, with the number of their calls. Those that fail count as "failed". */
  async next(count: number): Promise<Readonly<Record<string, number>>> {
    const from = this.count;
    await this.#when(() => this.count >= from + count, `${count} calls`, 60_000);
    return countPods(this.#outcomes.slice(from, from + count));
  }

  /** Resolves when many calls in a row have gone to these pods, to each of them and to no other, and none of them failed. */
  async settlesOn(pods: readonly string[], withinMs = defaultWithinMs): Promise<void> {
    const from = this.count;
    const isSettled = () => {
      const last = Object.keys(countPods(this.#outcomes.slice(-settled)));
      return this.count >= from + settled && last.sort().join() === [...pods].sort().join();
    };
    await this.#when(isSettled, `calls go to ${pods.join(", ")}`, withinMs);
  }

  /** Milliseconds between a time of `performance.now` and the first call after it that a pod answered. */
  firstMs(pod: string, sinceMs: number): number {
    const first = this.#outcomes.find((one) => one.atMs >= sinceMs && "pod" in one && one.pod === pod);
    return first ? Math.round(first.atMs - sinceMs) : Number.NaN;
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(gapMs: number): Promise<void> {
    while (!this.#isStopped) {
      const result = await this.#client.call().then(
        (pod) => ({ pod }),
        (error: unknown) => ({ error: messageOf(error).trim() }),
      );
      this.#outcomes.push({ ...result, atMs: performance.now() });
      for (const check of [...this.#waiting]) check();
      await delay(gapMs);
    }
  }

  /** Resolves after the first call for which a condition holds. */
  async #when(condition: () => boolean, what: string, withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = () => condition() && resolve();
    const last = () => JSON.stringify(countPods(this.#outcomes.slice(-settled)));
    const explain = () =>
      reject(
        new Error(`${what}: not within ${withinMs} ms; the last calls: ${last()} ${this.failures().at(-1) ?? ""}`),
      );
    const deadline = setTimeout(explain, withinMs);
    this.#waiting.add(check);
    check();
    await promise.finally(() => {
      clearTimeout(deadline);
      this.#waiting.delete(check);
    });
  }
}

function countPods(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const name = "pod" in outcome ? outcome.pod : "failed";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
