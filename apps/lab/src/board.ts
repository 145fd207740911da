import type { CallLine, VerdictWord } from "@grpc-lb/runtime/verdict";
import { bar } from "./bar.ts";
import { beside, fit, indent, type Line, printable, type Span, span, spread, widthOf, wrap } from "./line.ts";
import type { Strategy } from "./strategies.ts";

/** What one client has done so far. */
export interface BoardColumn {
  readonly strategy: Strategy;
  readonly tail: readonly CallLine[];
  /** Calls after the warm-up: those that will be judged. */
  readonly perPod: ReadonlyMap<string, number>;
  readonly errors: number;
}

/** Where a run stands. */
export type Progress =
  | { readonly t: "starting" }
  /** Every client has made a call. */
  | { readonly t: "running"; readonly elapsedMs: number; readonly durationMs: number }
  | { readonly t: "ended"; readonly words: ReadonlyMap<string, VerdictWord> };

/** What the live board shows. */
export interface Board {
  readonly pods: readonly string[];
  readonly columns: readonly BoardColumn[];
  readonly progress: Progress;
  /** The number of calls that fills a bar. */
  readonly fullBarCalls: number;
}

/** The cells of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Red is what the project cures; also where it is what a strategy must show. */
export const verdictTones = { BALANCED: "good", PINNED: "bad", SKEWED: "warning" } as const;

/** Wider is not easier to read. */
const maxColumns = 98;
const margin = 1;
const gap = 2;
const leastBlockWidth = 22;
const mostTailLines = 6;

/** How many cells of a terminal's width the lab writes into, after its margin. */
export function contentWidth(columns: number): number {
  return Math.max(1, Math.min(columns, maxColumns) - 2 * margin);
}

/** The lines of the board: never wider than the terminal, and fewer than it has rows, so that it can be painted over. */
export function renderBoard(board: Board, size: Size): Line[] {
  const width = contentWidth(size.columns);
  const most = Math.max(1, size.rows - 1);
  const title = renderTitle(board, width);
  const heads: Line[][] = [[...title, []], [...title.slice(0, 1), []], title.slice(0, 1)];
  const foot = board.progress.t === "ended" ? [] : [[], renderProgress(board.progress, width)];

  // From the richest to the poorest; the poorest is cut where the screen ends.
  let lines: Line[] = [];
  for (const body of bodiesFor(board, width)) {
    for (const head of heads) {
      const spare = most - head.length - foot.length - body(0).length;
      lines = [...head, ...body(Math.max(0, spare)), ...foot];
      if (spare >= 0) return withMargin(lines);
    }
  }
  return withMargin(lines.slice(0, most));
}

/** The ways to show the clients at a width, the richest first; each takes the number of lines that it may add. */
function bodiesFor(board: Board, width: number): ((spare: number) => Line[])[] {
  const clients = board.columns.length;
  const terse = () => renderStack(board, width, 0, true);
  const perRow = [clients, 2].find((count) => blockWidthFor(count, width) >= leastBlockWidth);
  if (perRow === undefined) {
    return [(spare) => renderStack(board, width, Math.min(mostTailLines, Math.floor(spare / clients)), false), terse];
  }
  const rows = Math.ceil(clients / perRow);
  // The last lines of a client come with a blank one below them.
  const tailLines = (spare: number) => Math.min(mostTailLines, Math.max(0, Math.floor(spare / rows) - 1));
  return [(spare) => renderGrid(board, perRow, blockWidthFor(perRow, width), tailLines(spare)), terse];
}

const blockWidthFor = (count: number, width: number) => Math.floor((width - gap * (count - 1)) / count);

const withMargin = (lines: readonly Line[]) => lines.map((line) => (line.length === 0 ? line : indent(line, margin)));

function renderTitle({ pods }: Board, width: number): Line[] {
  const clients = `Four clients call the same ${pods.length} pods; only their way to connect differs.`;
  return [
    fit([span("gRPC behind a Kubernetes Service: one pod gets every call", "strong")], width),
    ...wrap(clients, width, "faint"),
  ];
}

function renderProgress(progress: Exclude<Progress, { t: "ended" }>, width: number): Line {
  if (progress.t === "starting") return fit([span("starting servers and clients …", "faint")], width);
  const { elapsedMs, durationMs } = progress;
  const label = `${Math.floor(Math.min(elapsedMs, durationMs) / 1000)} s of ${Math.round(durationMs / 1000)} s`;
  const length = Math.max(0, width - label.length - 2);
  const done = Math.round(Math.min(1, elapsedMs / durationMs) * length);
  return fit([span("━".repeat(done)), span("─".repeat(length - done), "faint"), span(`  ${label}`, "faint")], width);
}

/** The clients beside each other, in as many rows as it takes. */
function renderGrid(board: Board, perRow: number, width: number, tailLines: number): Line[] {
  const lines: Line[] = [];
  for (let from = 0; from < board.columns.length; from += perRow) {
    if (from > 0) lines.push([]);
    lines.push(...renderRow(board, board.columns.slice(from, from + perRow), width, tailLines));
  }
  return lines;
}

function renderRow(board: Board, columns: readonly BoardColumn[], width: number, tailLines: number): Line[] {
  const blocks = columns.map((column) => [
    spread([span(column.strategy.name, "strong")], renderNow(column, board, tailLines, width), width),
    [span(column.strategy.way, "faint")],
    [span(column.strategy.connections, "faint")],
    [span("─".repeat(width), "faint")],
    ...renderTail(column, board.pods, tailLines),
    ...(tailLines > 0 ? [[]] : []),
    ...renderBars(column, board, width),
  ]);
  return beside(blocks, width, gap);
}

function renderStack(board: Board, width: number, tailLines: number, isTerse: boolean): Line[] {
  return board.columns.flatMap((column, i) => {
    const { name, way, connections } = column.strategy;
    const what = width >= 70 ? `${way}, ${connections}` : way;
    return [
      ...(i > 0 && !isTerse ? [[]] : []),
      spread(
        [span(name, "strong"), span("  "), span(what, "faint")],
        renderNow(column, board, tailLines, width),
        width,
      ),
      ...renderTail(column, board.pods, tailLines),
      ...(isTerse ? [renderCounts(column, board.pods)] : renderBars(column, board, width)),
    ].map((line) => fit(line, width));
  });
}

/** What stands beside a client's name: its state, or its last call where that fits and the last calls have no lines. */
function renderNow(column: BoardColumn, board: Board, tailLines: number, width: number): Line {
  const state = renderState(column, board);
  const last = column.tail.at(-1);
  if (!last || tailLines > 0 || widthOf(state) > 0) return state;
  const call = renderCall(last, board.pods);
  return column.strategy.name.length + 1 + widthOf(call) <= width ? call : state;
}

/** What stands above a client's calls: that some failed, and its verdict at the end. */
function renderState({ strategy, errors }: BoardColumn, { progress }: Board): Line {
  const word = progress.t === "ended" ? progress.words.get(strategy.name) : undefined;
  const parts: Span[] = [];
  if (errors > 0) parts.push(span(`${errors} failed`, "bad"));
  if (word) parts.push(span(word, verdictTones[word]));
  return parts.flatMap((part, i) => (i > 0 ? [span(" "), part] : [part]));
}

function renderTail({ tail }: BoardColumn, pods: readonly string[], count: number): Line[] {
  const last = count === 0 ? [] : tail.slice(-count);
  return Array.from({ length: count }, (_, i) => {
    const line = last[i];
    return line ? renderCall(line, pods) : [];
  });
}

/** A call as its client printed it. */
export function renderCall(line: CallLine, pods: readonly string[]): Line {
  if (line.t === "error") return [span(`Error: ${printable(line.reason)}`, "bad")];
  return [span(`#${line.number}: `, "faint"), podSpan(line.pod, line.pod, pods)];
}

function renderBars({ perPod }: BoardColumn, { pods, fullBarCalls }: Board, width: number): Line[] {
  const nameWidth = Math.max(...pods.map((pod) => pod.length));
  const countWidth = 4;
  const barWidth = width - nameWidth - countWidth - 1;
  const full = Math.max(fullBarCalls, ...perPod.values());
  return pods.map((pod) => {
    const count = perPod.get(pod) ?? 0;
    const name = podSpan(pod.padEnd(nameWidth), pod, pods);
    const drawn = barWidth > 0 ? bar(count / full, barWidth).padEnd(barWidth) : "";
    const number = span(String(count).padStart(countWidth), count === 0 ? "faint" : "strong");
    return [name, span(" "), podSpan(drawn, pod, pods), number];
  });
}

function renderCounts({ perPod }: BoardColumn, pods: readonly string[]): Line {
  return pods.map((pod) => podSpan(`  ${perPod.get(pod) ?? 0}`, pod, pods));
}

/** Text in the colour of a pod. */
export function podSpan(text: string, pod: string, pods: readonly string[]): Span {
  const index = pods.indexOf(pod);
  return span(text, index === -1 ? "plain" : { pod: index });
}
