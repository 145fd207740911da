import { fit, type Line, span } from "../../terminal/line.ts";
import {
  type Board,
  countWidth,
  gap,
  podSpan,
  renderBar,
  renderCount,
  renderStatus,
  shownPods,
} from "./board-parts.ts";

/** The cells at the end of a client's line, for its last call, or its failed calls and its verdict. */
const stateWidth = 18;
const minBarWidth = 4;

/**
 * One line per client with a bar per pod, for many clients on a low screen. With enough spare lines, a second line describes
 * the client. Returns no lines when the width is too small.
 */
export function renderChart(board: Board, width: number, spare: number): Line[] {
  const { pods, columns, fullBarCalls } = board;
  const nameWidth = Math.max(...columns.map(({ strategy }) => strategy.name.length)) + gap;
  const shown = shownPods(board);
  const podWidth = Math.floor((width - nameWidth - stateWidth) / shown.length);
  const barWidth = podWidth - countWidth - gap;
  if (barWidth < minBarWidth) return [];
  const heads = shown.map((pod) => fit([podSpan(pod, pod, pods)], podWidth));
  const rows = columns.flatMap((column): Line[] => {
    const { perPod, strategy } = column;
    const full = Math.max(fullBarCalls, ...perPod.values());
    const bars = shown.map((pod) => {
      const count = perPod.get(pod) ?? 0;
      return fit([...renderBar(pod, count / full, barWidth, pods), renderCount(count)], podWidth);
    });
    const state = fit(renderStatus(column, board, 0, width), stateWidth);
    const what = fit([span(`  ${strategy.way}, ${strategy.connections}`, "faint")], width);
    const line = [...fit([span(strategy.name, "strong")], nameWidth), ...bars.flat(), ...state];
    return spare >= columns.length ? [line, what] : [line];
  });
  return [[span(" ".repeat(nameWidth)), ...heads.flat()], ...rows];
}
