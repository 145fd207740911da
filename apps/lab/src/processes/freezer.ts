import type { Clock } from "@grpc-lb/core";
import { within } from "./deadline.ts";
import { type ProcessGroup, watchdogMain } from "./process-group.ts";

/** A throttled process runs for a tenth of each period, as with a CPU limit of 100 millicores. */
const throttlePeriodMs = 200;
const throttleRunMs = 20;
const watchdogTimeoutMs = 20_000;

/** The processes, time and end of a Freezer. */
export interface FreezerOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the throttling and the waits. */
  readonly signal: AbortSignal;
}

/**
 * Freezes processes by SIGSTOP: their connections stay open, and they accept calls and never answer. A frozen process cannot
 * notice that the lab is gone, so each gets a watchdog first. Call `thawAll` before the processes are stopped.
 */
export class Freezer {
  readonly #options: FreezerOptions;
  readonly #watched = new Set<number>();
  /** The throttled and the frozen processes, with what ends it. */
  readonly #held = new Map<number, AbortController>();

  constructor(options: FreezerOptions) {
    this.#options = options;
  }

  isHeld(pid: number): boolean {
    return this.#held.has(pid);
  }

  /** Stops the process until `thaw`. Resolves when it is stopped. */
  async freeze(pid: number): Promise<void> {
    if (await this.#hold(pid)) send(pid, "SIGSTOP");
  }

  /** Lets the process run for a tenth of the time until `thaw`. Resolves when that has begun. */
  async throttle(pid: number): Promise<void> {
    const held = await this.#hold(pid);
    if (held) void this.#pulse(pid, held);
  }

  /** Lets the process go on. Does nothing when it is not held. */
  thaw(pid: number): void {
    const held = this.#held.get(pid);
    if (!held) return;
    this.#held.delete(pid);
    held.abort();
    send(pid, "SIGCONT");
  }

  thawAll(): void {
    for (const pid of [...this.#held.keys()]) this.thaw(pid);
  }

  /** Returns undefined when the process is held already, or the run has ended. */
  async #hold(pid: number): Promise<AbortSignal | undefined> {
    await this.#watch(pid);
    if (this.#options.signal.aborted || this.#held.has(pid)) return undefined;
    const held = new AbortController();
    this.#held.set(pid, held);
    return AbortSignal.any([held.signal, this.#options.signal]);
  }

  async #pulse(pid: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      send(pid, "SIGSTOP");
      await clock.sleep(throttlePeriodMs - throttleRunMs, signal);
      send(pid, "SIGCONT");
      await clock.sleep(throttleRunMs, signal);
    }
  }

  async #watch(pid: number): Promise<void> {
    if (this.#watched.has(pid)) return;
    this.#watched.add(pid);
    const { group, clock, signal } = this.#options;
    const watching = Promise.withResolvers<string>();
    const name = `watchdog of ${pid}`;
    group.start({ name, main: watchdogMain, args: ["SIGCONT", String(pid)], onStdout: watching.resolve });
    const describe = () => `${name} did not start; ${group.describeLastLines(name)}`;
    await within({ ms: watchdogTimeoutMs, clock, signal, describe }, watching.promise);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: the process has already exited
  }
}
