import type { CallLine } from "@grpc-lb/verdict";
import { paint } from "../../terminal/paint.ts";
import type { SkippedStrategy } from "../choose-strategies.ts";
import type { Plan } from "../plan.ts";
import type { LabWatcher } from "../run-demo.ts";
import type { Strategy } from "../strategies.ts";
import { renderCall } from "./board-parts.ts";
import { describeRun } from "./describe-run.ts";
import { type Result, renderResult } from "./result-table.ts";

const columns = 100;

/** What a PlainView shows. */
export interface PlainViewOptions {
  readonly plan: Plan;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
}

/** Shows a run where there is no terminal: line after line, with no escape code in any. */
export class PlainView implements LabWatcher {
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
    for (const { name, way, connections } of strategies) this.#write(`${this.#column(name)}${way}, ${connections}\n`);
    for (const { name, reason } of skipped) this.#write(`${this.#column(name)}skipped: ${reason}\n`);
    this.#write("\n");
  }

  onRunning(): void {}

  onLine(strategy: Strategy, line: CallLine): void {
    this.#write(`${this.#column(strategy.name)}${paint(renderCall(line, []), false)}\n`);
  }

  showResult(result: Result): void {
    for (const line of [[], ...renderResult(result, columns)]) this.#write(`${paint(line, false)}\n`);
  }

  close(): void {}

  #column(name: string): string {
    return `${name.padEnd(this.#nameWidth)}  `;
  }
}
