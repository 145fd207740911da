import type { CallLine } from "@grpc-lb/runtime/verdict";
import { renderCall } from "./board.ts";
import { paint } from "./paint.ts";
import { type Result, renderResult } from "./result-table.ts";
import type { LabWatcher } from "./run-lab.ts";
import type { Strategy } from "./strategies.ts";

const columns = 100;

/** Shows a run where there is no terminal: line after line, with no escape code in any. */
export class PlainView implements LabWatcher {
  readonly #strategies: readonly Strategy[];
  readonly #nameWidth: number;
  readonly #write: (text: string) => void;

  constructor(strategies: readonly Strategy[], write: (text: string) => void) {
    this.#strategies = strategies;
    this.#nameWidth = Math.max(...strategies.map(({ name }) => name.length));
    this.#write = write;
  }

  onServing(): void {
    this.#write("gRPC behind a Kubernetes Service: one pod gets every call. Four clients call the same pods:\n\n");
    for (const { name, way, connections } of this.#strategies) {
      this.#write(`${name.padEnd(this.#nameWidth)}  ${way}, ${connections}\n`);
    }
    this.#write("\n");
  }

  onRunning(): void {}

  onLine(strategy: Strategy, line: CallLine): void {
    this.#write(`${strategy.name.padEnd(this.#nameWidth)}  ${paint(renderCall(line, []), false)}\n`);
  }

  showResult(result: Result): void {
    for (const line of [[], ...renderResult(result, columns)]) this.#write(`${paint(line, false)}\n`);
  }

  close(): void {}
}
