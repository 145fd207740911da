import { contentWidth, fit, indent, type Line, margin, sideBySide, span, spread, wrap } from "../../terminal/line.ts";
import type { Size } from "../../terminal/screen.ts";
import { renderChart } from "./board-chart.ts";
import {
  type Board,
  type BoardColumn,
  describeRun,
  gap,
  type Progress,
  renderBars,
  renderCounts,
  renderStatus,
  renderTail,
} from "./board-parts.ts";

const minBlockWidth = 22;
const maxTailLines = 6;

/** Renders the board: no line is wider than the terminal, and there are fewer lines than rows, as a Screen requires. */
export function renderBoard(board: Board, size: Size): Line[] {
  const width = contentWidth(size.columns);
  const maxLines = Math.max(1, size.rows - 1);
  const title = renderTitle(board, width);
  const heads: Line[][] = [[...title, []], [...title.slice(0, 1), []], title.slice(0, 1)];
  const foot = board.progress.t === "ended" ? [] : [[], renderProgress(board.progress, width)];

  // From the most to the least detailed; the last one is cut at the end of the screen.
  let lines: Line[] = [];
  for (const body of bodiesFor(board, width)) {
    for (const head of heads) {
      const spare = maxLines - head.length - foot.length - body(0).length;
      lines = [...head, ...body(Math.max(0, spare)), ...foot];
      if (spare >= 0) return withMargin(lines);
    }
  }
  return withMargin(lines.slice(0, maxLines));
}

/** The layouts of the clients at a width, the most detailed first. Each takes the number of lines that it may add. */
function bodiesFor(board: Board, width: number): ((spare: number) => Line[])[] {
  const clients = board.columns.length;
  const terse = [() => renderStack(board, width, 0, true)];
  const hasChart = renderChart(board, width, 0).length > 0;
  const denser = hasChart ? [(spare: number) => renderChart(board, width, spare), ...terse] : terse;
  const fitting = Math.floor((width + gap) / (minBlockWidth + gap));
  if (fitting < Math.min(2, clients)) {
    const tailLines = (spare: number) => Math.min(maxTailLines, Math.floor(spare / clients));
    return [(spare) => renderStack(board, width, tailLines(spare), false), ...denser];
  }
  const rows = Math.ceil(clients / fitting);
  const perRow = Math.ceil(clients / rows); // rows of about equal length
  // Below the last calls of a client there is a blank line.
  const tailLines = (spare: number) => Math.min(maxTailLines, Math.max(0, Math.floor(spare / rows) - 1));
  return [(spare) => renderGrid(board, perRow, blockWidthFor(perRow, width), tailLines(spare)), ...denser];
}

const blockWidthFor = (count: number, width: number) => Math.floor((width - gap * (count - 1)) / count);

const withMargin = (lines: readonly Line[]) => lines.map((line) => (line.length === 0 ? line : indent(line, margin)));

function renderTitle({ pods, columns, title }: Board, width: number): Line[] {
  const strategies = columns.map(({ strategy }) => strategy);
  const [first, second] = title ?? describeRun(strategies, pods.length);
  return [fit([span(first, "strong")], width), ...wrap(second, width, "faint")];
}

function renderProgress(progress: Exclude<Progress, { t: "ended" }>, width: number): Line {
  if (progress.t === "note") return fit([span(progress.text, "faint")], width);
  const { elapsedMs, durationMs } = progress;
  const label = `${Math.floor(Math.min(elapsedMs, durationMs) / 1000)} s of ${Math.round(durationMs / 1000)} s`;
  const length = Math.max(0, width - label.length - 2);
  const done = Math.round(Math.min(1, elapsedMs / durationMs) * length);
  return fit([span("━".repeat(done)), span("─".repeat(length - done), "faint"), span(`  ${label}`, "faint")], width);
}

/** The clients side by side, in one or more rows. */
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
    spread([span(column.strategy.name, "strong")], renderStatus(column, board, tailLines, width), width),
    [span(column.strategy.way, "faint")],
    [span(column.strategy.connections, "faint")],
    [span("─".repeat(width), "faint")],
    ...renderTail(column, board.pods, tailLines),
    ...(tailLines > 0 ? [[]] : []),
    ...renderBars(column, board, width),
  ]);
  return sideBySide(blocks, width, gap);
}

function renderStack(board: Board, width: number, tailLines: number, isTerse: boolean): Line[] {
  return board.columns.flatMap((column, i) => {
    const { name, way, connections } = column.strategy;
    const what = width >= 70 ? `${way}, ${connections}` : way;
    return [
      ...(i > 0 && !isTerse ? [[]] : []),
      spread(
        [span(name, "strong"), span("  "), span(what, "faint")],
        renderStatus(column, board, tailLines, width),
        width,
      ),
      ...renderTail(column, board.pods, tailLines),
      ...(isTerse ? [renderCounts(column, board)] : renderBars(column, board, width)),
    ].map((line) => fit(line, width));
  });
}
