import { type Clock, systemClock } from "@grpc-lb/core";
import { parseCallLine } from "@grpc-lb/verdict";
import type { Changes } from "./changes.ts";

/** A call that succeeded, when this process read of it. */
export interface SeenCall {
  readonly pod: string;
  readonly atMs: number;
}

/** Collects the calls of a client from the lines that it prints. */
export class ClientWatch {
  readonly #clock: Clock;
  readonly #changes: Changes;
  readonly #calls: SeenCall[] = [];
  readonly #errors: string[] = [];

  constructor(changes: Changes, clock: Clock = systemClock) {
    this.#changes = changes;
    this.#clock = clock;
  }

  /** Adds a line of the client's output; a line that is not about a call is ignored. */
  add(text: string): void {
    const line = parseCallLine(text);
    if (line === undefined) return;
    if (line.t === "call") this.#calls.push({ pod: line.pod, atMs: this.#clock.now() });
    else this.#errors.push(line.reason);
    this.#changes.notify();
  }

  /** The calls that succeeded, in order. */
  get calls(): readonly SeenCall[] {
    return this.#calls;
  }

  /** The reasons of the calls that failed, in order. */
  get errors(): readonly string[] {
    return this.#errors;
  }
}
