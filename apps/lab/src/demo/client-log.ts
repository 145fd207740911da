import { type CallLine, parseCallLine } from "@grpc-lb/verdict";
import type { Strategy } from "./strategies.ts";

const keptLines = 16;

/**
 * What one client has said so far. Its first calls, made while connections are still opening, are counted but not judged.
 */
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

  /** Takes a line of the client's output; gives what it says, undefined when it tells of no call. */
  take(text: string): CallLine | undefined {
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

  /** How many calls succeeded. */
  get calls(): number {
    return this.#calls.length;
  }

  /** The pod that answered, for each call after the warm-up. */
  get judgedCalls(): readonly string[] {
    return this.#calls.slice(this.#warmUpCalls);
  }

  /** How many of the calls after the warm-up each pod answered. */
  get perPod(): ReadonlyMap<string, number> {
    return this.#perPod;
  }

  /** The last lines, the oldest first. */
  get tail(): readonly CallLine[] {
    return this.#tail;
  }

  /** How many calls failed. */
  get errors(): number {
    return this.#errors;
  }

  get lastError(): string {
    return this.#lastError;
  }
}
