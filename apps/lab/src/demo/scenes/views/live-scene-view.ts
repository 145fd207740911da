import type { Clock } from "@grpc-lb/core";
import type { VerdictWord } from "@grpc-lb/verdict";
import { contentWidth, fit, indent, type Line, span, wrap } from "../../../terminal/line.ts";
import { paint } from "../../../terminal/paint.ts";
import { Screen, type Size, sizeOf } from "../../../terminal/screen.ts";
import { describeSkipped, type SkippedStrategy } from "../../choose-strategies.ts";
import { renderBoard } from "../../views/board.ts";
import { type Board, type BoardColumn, describeStart, type Progress } from "../../views/board-parts.ts";
import type { ResizingTerminal } from "../../views/live-view.ts";
import type { Happening, PodFleet } from "../pod-fleet.ts";
import type { SceneObserver } from "../run-scene.ts";
import type { Scene } from "../scene.ts";
import type { SceneLog } from "../scene-log.ts";
import { describeHappening, sinceStart } from "./describe-happening.ts";
import { renderSceneResult, type SceneResult } from "./scene-table.ts";

/** Options of a LiveSceneView. */
export interface LiveSceneViewOptions {
  readonly scene: Pick<Scene, "name" | "summary">;
  /** The line below the title. Default: what the bars are. */
  readonly hint?: string;
  /** Read at each repaint. */
  readonly logs: readonly SceneLog[];
  readonly skipped: readonly SkippedStrategy[];
  /** The pause between two calls of a client. */
  readonly intervalMs: number;
  /** The names of the pods that run from the start. */
  readonly pods: readonly string[];
  readonly clock: Clock;
  readonly terminal: ResizingTerminal;
  readonly isColoured: boolean;
}

const repaintIntervalMs = 100;
/** Bars show the calls of this time, so that they follow what happens. */
const shownMs = 2_000;
const barsLine = `The bars are the calls of the last ${shownMs / 1000} s.`;
const keptHappenings = 3;
const keptCalls = 16;

/** Shows a scene in a terminal: a board that is repainted in place with the last happenings, and at the end the result. */
export class LiveSceneView implements SceneObserver {
  readonly #options: LiveSceneViewOptions;
  readonly #screen: Screen;
  readonly #closing = new AbortController();
  readonly #repaint = () => this.#paint();
  readonly #happenings: string[] = [];
  #fleet: Pick<PodFleet, "pods" | "running"> | undefined;
  #startMs = 0;
  #words: ReadonlyMap<string, VerdictWord> | undefined;
  #isServing = false;
  #note = "";

  constructor(options: LiveSceneViewOptions) {
    this.#options = options;
    const width = contentWidth(sizeOf(options.terminal).columns);
    const skipped = options.skipped.flatMap((each) => wrap(describeSkipped([each]), width, "warning"));
    this.#writeLines([[], ...skipped.map((line) => indent(line, 1))]);
    this.#screen = new Screen(options.terminal);
    options.terminal.on("resize", this.#repaint);
    void this.#run();
  }

  onServing(): void {
    this.#isServing = true;
  }

  onRunning(fleet: Pick<PodFleet, "pods" | "running">): void {
    this.#fleet = fleet;
    this.#startMs = this.#options.clock.now();
    this.#note = "";
  }

  onHappening(happening: Happening): void {
    const text = `${sinceStart(happening.atMs, this.#startMs).padStart(6)}  ${describeHappening(happening)}`;
    this.#happenings.push(text);
    if (this.#happenings.length > keptHappenings) this.#happenings.shift();
  }

  /** The next repaint shows the call. */
  onCall(): void {}

  onAfter(): void {
    this.#note = "calls count for the verdict";
  }

  /** Shows a text below the board, until the next one. */
  showNote(text: string): void {
    this.#note = text;
  }

  /** Leaves the last board on the screen and prints the result below it. */
  showResult(result: SceneResult): void {
    this.#words = new Map(
      result.outcomes.flatMap(({ strategy, measurement: { verdict } }) => {
        return verdict ? [[strategy.name, verdict.word]] : [];
      }),
    );
    this.#paint();
    this.close();
    this.#writeLines([[], ...renderSceneResult(result, sizeOf(this.#options.terminal))]);
  }

  /** Stops repainting and shows the cursor. */
  close(): void {
    this.#closing.abort();
    this.#options.terminal.off("resize", this.#repaint);
    this.#screen.close();
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
    const { terminal, isColoured } = this.#options;
    this.#screen.draw(this.#render(sizeOf(terminal)).map((line) => paint(line, isColoured)));
  }

  #render(size: Size): readonly Line[] {
    const { scene, hint = barsLine, logs, intervalMs, pods: first, clock } = this.#options;
    const sinceMs = clock.now() - shownMs;
    const pods = this.#fleet?.pods.map(({ podName }) => podName) ?? first;
    const columns = logs.map((log) => columnOf(log, pods, { sinceMs, startMs: this.#startMs }));
    const running = this.#fleet?.running.map(({ podName }) => podName) ?? first;
    const isCalled = (pod: string) => columns.some(({ perPod }) => (perPod.get(pod) ?? 0) > 0);
    const board: Board = {
      title: [`${scene.name}: ${scene.summary}`, hint],
      pods,
      hidden: new Set(pods.filter((pod) => !running.includes(pod) && !isCalled(pod))),
      columns,
      progress: this.#progress,
      fullBarCalls: shownMs / intervalMs,
    };
    const width = contentWidth(size.columns);
    const rows = Math.max(2, size.rows - this.#happenings.length);
    const happenings = this.#happenings.map((text) => indent(fit([span(text)], width), 1));
    return [...renderBoard(board, { ...size, rows }), ...happenings].slice(0, Math.max(1, size.rows - 1));
  }

  get #progress(): Progress {
    if (this.#words) return { t: "ended", words: this.#words };
    const { clock, logs } = this.#options;
    const start = this.#fleet
      ? sinceStart(clock.now(), this.#startMs)
      : describeStart(
          this.#isServing,
          logs.map(({ hasSucceeded }) => hasSucceeded),
        );
    return { t: "note", text: [start, this.#note].filter(Boolean).join("  ") };
  }
}

/** The bars are of the calls since `sinceMs`; failed calls are counted from the start of the scene, as in the result. */
function columnOf(
  log: SceneLog,
  pods: readonly string[],
  { sinceMs, startMs }: { readonly sinceMs: number; readonly startMs: number },
): BoardColumn {
  const perPod = new Map(pods.map((pod) => [pod, 0]));
  for (const { line } of log.since(sinceMs)) {
    if (line.t === "call") perPod.set(line.pod, (perPod.get(line.pod) ?? 0) + 1);
  }
  const tail = log.lines.slice(-keptCalls).map(({ line }) => line);
  return { strategy: log.strategy, tail, perPod, errors: log.failedSince(startMs) };
}
