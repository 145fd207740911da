import type { CallLine } from "@grpc-lb/verdict";
import { paint } from "../../terminal/paint.ts";
import type { SkippedStrategy } from "../choose-strategies.ts";
import type { Plan } from "../plan.ts";
import type { DemoObserver } from "../run-demo.ts";
import type { Strategy } from "../strategies.ts";
import { describeRun, renderCall } from "./board-parts.ts";
import { type Result, renderResult } from "./result-table.ts";

const columns = 100;

/** Options of a PlainView. */
export interface PlainViewOptions {
  readonly plan: Plan;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
}

/** Prints a run line by line and without escape codes, for pipes and log files. */
export class PlainView implements DemoObserver {
  readonly #options: PlainViewOptions;
  readonly #nameWidth: number;
  readonly #write: (text: string) => void;

  constructor(options: PlainViewOptions, write: (text: string) => void) {
    this.#options = options;
    this.#nameWidth = Math.max(...[...options.strategies, ...options.skipped].map(({ name }) => name.length));
    this.#write = write;
  }

  onServing(): void {
    const { plan, strategies, skipped } = this.#options;
    for (const line of describeRun(strategies, plan.servers)) this.#write(`${line}\n`);
    this.#write("\n");
    for (const { name, way, connections } of strategies) this.#write(`${this.#pad(name)}${way}, ${connections}\n`);
    for (const { name, reason } of skipped) this.#write(`${this.#pad(name)}skipped: ${reason}\n`);
    this.#write("\n");
  }

  onRunning(): void {}

  onCall(strategy: Strategy, line: CallLine): void {
    this.#write(`${this.#pad(strategy.name)}${paint(renderCall(line, []), false)}\n`);
  }

  showResult(result: Result): void {
    for (const line of [[], ...renderResult(result, { columns })]) this.#write(`${paint(line, false)}\n`);
  }

  close(): void {}

  #pad(name: string): string {
    return `${name.padEnd(this.#nameWidth)}  `;
  }
}
