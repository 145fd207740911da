import { type CallLine, parseCallLine } from "@grpc-lb/verdict";
import type { Strategy } from "./strategies.ts";

const keptLines = 16;

/** Counts the calls of one client from the lines that it prints. The calls of the warm-up are counted but not judged. */
export class ClientLog {
  readonly strategy: Strategy;
  readonly #warmUpCalls: number;
  readonly #calls: string[] = [];
  readonly #perPod: Map<string, number>;
  readonly #tail: CallLine[] = [];
  #errors = 0;
  #lastError = "";

  constructor(strategy: Strategy, pods: readonly string[], warmUpCalls: number) {
    this.strategy = strategy;
    this.#warmUpCalls = warmUpCalls;
    this.#perPod = new Map(pods.map((pod) => [pod, 0]));
  }

  /** Adds a line of the client's output. Returns the call in it; undefined when the line is not about a call. */
  add(text: string): CallLine | undefined {
    const line = parseCallLine(text);
    if (!line) return undefined;
    this.#tail.push(line);
    if (this.#tail.length > keptLines) this.#tail.shift();
    if (line.t === "call") {
      this.#calls.push(line.pod);
      if (this.#calls.length > this.#warmUpCalls) this.#perPod.set(line.pod, (this.#perPod.get(line.pod) ?? 0) + 1);
    } else {
      this.#errors += 1;
      this.#lastError = line.reason;
    }
    return line;
  }

  /** The number of successful calls. */
  get calls(): number {
    return this.#calls.length;
  }

  /** The pod that answered, for each successful call after the warm-up. */
  get judgedCalls(): readonly string[] {
    return this.#calls.slice(this.#warmUpCalls);
  }

  /** The number of calls after the warm-up that each pod answered. */
  get perPod(): ReadonlyMap<string, number> {
    return this.#perPod;
  }

  /** The last calls, the oldest first; at most 16. */
  get tail(): readonly CallLine[] {
    return this.#tail;
  }

  /** The number of failed calls. */
  get errors(): number {
    return this.#errors;
  }

  /** The reason of the last failed call; empty when none failed. */
  get lastError(): string {
    return this.#lastError;
  }
}
