import { type CallLine, parseCallLine } from "@grpc-lb/verdict";
import type { Strategy } from "../strategies.ts";

/** A line of a client, with the time when it arrived. */
export interface TimedLine {
  readonly atMs: number;
  readonly line: CallLine;
}

/** Takes the lines of one client of a run. */
export interface LineLog {
  readonly strategy: Strategy;
  /** Whether a call has succeeded. */
  readonly hasSucceeded: boolean;
  /** Adds a line of the client's output. Returns the call in it; undefined when the line is not about a call. */
  add(text: string, atMs: number): CallLine | undefined;
}

/** The lines of one client in a scene, with their times. */
export class SceneLog implements LineLog {
  readonly strategy: Strategy;
  readonly #lines: TimedLine[] = [];
  #failed = 0;

  constructor(strategy: Strategy) {
    this.strategy = strategy;
  }

  add(text: string, atMs: number): CallLine | undefined {
    const line = parseCallLine(text);
    if (!line) return undefined;
    this.#lines.push({ atMs, line });
    if (line.t === "error") this.#failed += 1;
    return line;
  }

  get hasSucceeded(): boolean {
    return this.#lines.length > this.#failed;
  }

  get lines(): readonly TimedLine[] {
    return this.#lines;
  }

  /** The number of failed calls since a time. */
  failedSince(ms: number): number {
    return this.since(ms).filter(({ line }) => line.t === "error").length;
  }

  /** The lines since a time, the oldest first. */
  since(ms: number): readonly TimedLine[] {
    const before = this.#lines.findLastIndex(({ atMs }) => atMs < ms);
    return this.#lines.slice(before + 1);
  }
}
