import type { Clock } from "@grpc-lb/core";
import type { VerdictWord } from "@grpc-lb/verdict";
import { indent, type Line, wrap } from "../../terminal/line.ts";
import { paint } from "../../terminal/paint.ts";
import { Screen, type Terminal } from "../../terminal/screen.ts";
import { describeSkipped, type SkippedStrategy } from "../choose-strategies.ts";
import type { ClientLog } from "../client-log.ts";
import { type Plan, podNames } from "../plan.ts";
import type { LabWatcher } from "../run-demo.ts";
import { contentWidth, renderBoard, type Size } from "./board.ts";
import type { Board, Progress } from "./board-parts.ts";
import { type Result, renderResult } from "./result-table.ts";

/** A terminal that says when its size has changed. */
export interface ResizingTerminal extends Terminal {
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

/** What a LiveView shows, and where. */
export interface LiveViewOptions {
  readonly plan: Plan;
  /** What is read at each repaint. */
  readonly logs: readonly ClientLog[];
  /** What is said once, above the board. */
  readonly skipped: readonly SkippedStrategy[];
  readonly clock: Clock;
  readonly terminal: ResizingTerminal;
  readonly isColoured: boolean;
}

const repaintEveryMs = 100;

/** Shows a run in a terminal: a board that is painted in place, and the result below it when the run has ended. */
export class LiveView implements LabWatcher {
  readonly #options: LiveViewOptions;
  readonly #screen: Screen;
  readonly #closing = new AbortController();
  readonly #repaint = () => this.#paint();
  #startedMs: number | undefined;
  #words: ReadonlyMap<string, VerdictWord> | undefined;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    options.terminal.write("\n"); // apart from the command that started it
    for (const line of this.#renderSkipped()) options.terminal.write(`${paint(line, options.isColoured)}\n`);
    this.#screen = new Screen(options.terminal);
    options.terminal.on("resize", this.#repaint);
    void this.#run();
  }

  onServing(): void {}

  onRunning(): void {
    this.#startedMs = this.#options.clock.now();
  }

  /** The next repaint shows it. */
  onLine(): void {}

  /** Leaves the last board where it stands, without its progress, and prints the result below. */
  showResult(result: Result): void {
    const { terminal, isColoured } = this.#options;
    this.#words = new Map(
      result.outcomes.flatMap(({ strategy, verdict }) => (verdict ? [[strategy.name, verdict.word]] : [])),
    );
    this.#paint();
    this.close();
    for (const line of [[], ...renderResult(result, this.#size.columns)])
      terminal.write(`${paint(line, isColoured)}\n`);
  }

  /** Ends the painting and gives the terminal back; also when the run failed. */
  close(): void {
    this.#closing.abort();
    this.#options.terminal.off("resize", this.#repaint);
    this.#screen.close();
  }

  #renderSkipped(): readonly Line[] {
    const width = contentWidth(this.#size.columns);
    const lines = this.#options.skipped.flatMap((each) => wrap(describeSkipped([each]), width, "warning"));
    return lines.length === 0 ? [] : [...lines.map((line) => indent(line, 1)), []];
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#paint();
      await this.#options.clock.sleep(repaintEveryMs, this.#closing.signal);
    }
  }

  #paint(): void {
    const { plan, logs, isColoured } = this.#options;
    const fullBarCalls = plan.durationMs / plan.intervalMs;
    const board: Board = { pods: podNames(plan), columns: logs, progress: this.#progress, fullBarCalls };
    this.#screen.draw(renderBoard(board, this.#size).map((line) => paint(line, isColoured)));
  }

  get #progress(): Progress {
    if (this.#words) return { t: "ended", words: this.#words };
    if (this.#startedMs === undefined) return { t: "starting" };
    const { clock, plan } = this.#options;
    return { t: "running", elapsedMs: clock.now() - this.#startedMs, durationMs: plan.durationMs };
  }

  /** A terminal whose size is not known counts as the smallest usual one. */
  get #size(): Size {
    return { columns: this.#options.terminal.columns || 80, rows: this.#options.terminal.rows || 24 };
  }
}
