import type { Clock } from "@grpc-lb/core";
import type { VerdictWord } from "@grpc-lb/verdict";
import { contentWidth, indent, type Line, wrap } from "../../terminal/line.ts";
import { paint } from "../../terminal/paint.ts";
import { Screen, sizeOf, type Terminal } from "../../terminal/screen.ts";
import { describeSkipped, type SkippedStrategy } from "../choose-strategies.ts";
import type { ClientLog } from "../client-log.ts";
import { type Plan, podNames } from "../plan.ts";
import type { DemoObserver } from "../run-demo.ts";
import { renderBoard } from "./board.ts";
import { type Board, describeStart, type Progress } from "./board-parts.ts";
import { type Result, renderResult } from "./result-table.ts";

/** A terminal that emits `resize`, as `process.stdout` does. */
export interface ResizingTerminal extends Terminal {
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

/** Options of a LiveView. */
export interface LiveViewOptions {
  readonly plan: Plan;
  /** Read at each repaint. */
  readonly logs: readonly ClientLog[];
  /** Shown once, above the board. */
  readonly skipped: readonly SkippedStrategy[];
  readonly clock: Clock;
  readonly terminal: ResizingTerminal;
  readonly isColoured: boolean;
}

const repaintIntervalMs = 100;

/** Shows a run in a terminal: a board that is repainted in place, and at the end the result below it. */
export class LiveView implements DemoObserver {
  readonly #options: LiveViewOptions;
  readonly #screen: Screen;
  readonly #closing = new AbortController();
  readonly #repaint = () => this.#paint();
  #isServing = false;
  #startMs: number | undefined;
  #words: ReadonlyMap<string, VerdictWord> | undefined;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#writeLines([[], ...this.#renderSkipped()]);
    this.#screen = new Screen(options.terminal);
    options.terminal.on("resize", this.#repaint);
    void this.#run();
  }

  onServing(): void {
    this.#isServing = true;
  }

  onRunning(): void {
    this.#startMs = this.#options.clock.now();
  }

  /** The next repaint shows the call. */
  onCall(): void {}

  /** Leaves the last board on the screen, without the progress bar, and prints the result below it. */
  showResult(result: Result): void {
    this.#words = new Map(
      result.outcomes.flatMap(({ strategy, verdict }) => (verdict ? [[strategy.name, verdict.word]] : [])),
    );
    this.#paint();
    this.close();
    this.#writeLines([[], ...renderResult(result, sizeOf(this.#options.terminal))]);
  }

  /** Stops repainting and shows the cursor. */
  close(): void {
    this.#closing.abort();
    this.#options.terminal.off("resize", this.#repaint);
    this.#screen.close();
  }

  #renderSkipped(): readonly Line[] {
    const width = contentWidth(sizeOf(this.#options.terminal).columns);
    const lines = this.#options.skipped.flatMap((each) => wrap(describeSkipped([each]), width, "warning"));
    return lines.length === 0 ? [] : [...lines.map((line) => indent(line, 1)), []];
  }

  #writeLines(lines: readonly Line[]): void {
    const { terminal, isColoured } = this.#options;
    for (const line of lines) terminal.write(`${paint(line, isColoured)}\n`);
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#paint();
      await this.#options.clock.sleep(repaintIntervalMs, this.#closing.signal);
    }
  }

  #paint(): void {
    const { plan, logs, terminal, isColoured } = this.#options;
    const fullBarCalls = plan.durationMs / plan.intervalMs;
    const board: Board = { pods: podNames(plan), columns: logs, progress: this.#progress, fullBarCalls };
    this.#screen.draw(renderBoard(board, sizeOf(terminal)).map((line) => paint(line, isColoured)));
  }

  get #progress(): Progress {
    if (this.#words) return { t: "ended", words: this.#words };
    const { clock, plan, logs } = this.#options;
    if (this.#startMs === undefined) {
      const hasCalled = logs.map(({ tail }) => tail.length > 0);
      return { t: "note", text: describeStart(this.#isServing, hasCalled) };
    }
    return { t: "running", elapsedMs: clock.now() - this.#startMs, durationMs: plan.durationMs };
  }
}
