import { fit, type Line, span } from "../../terminal/line.ts";
import { type Board, countWidth, gap, podSpan, renderBar, renderCount, renderNow } from "./board-parts.ts";

/** Of what stands at the end of a client's line: its last call, or that some failed and its verdict. */
const stateWidth = 18;
const leastBarWidth = 4;

/**
 * A line for each client, with a bar for each pod: for many clients on a screen that is not high. What they are stands below
 * each where there are lines to spare. No line at all when it is too narrow.
 */
export function renderChart(board: Board, width: number, spare: number): Line[] {
  const { pods, columns, fullBarCalls } = board;
  const nameWidth = Math.max(...columns.map(({ strategy }) => strategy.name.length)) + gap;
  const podWidth = Math.floor((width - nameWidth - stateWidth) / pods.length);
  const barWidth = podWidth - countWidth - gap;
  if (barWidth < leastBarWidth) return [];
  const heads = pods.map((pod) => fit([podSpan(pod, pod, pods)], podWidth));
  const rows = columns.flatMap((column): Line[] => {
    const { perPod, strategy } = column;
    const full = Math.max(fullBarCalls, ...perPod.values());
    const bars = pods.map((pod) => {
      const count = perPod.get(pod) ?? 0;
      return fit([...renderBar(pod, count / full, barWidth, pods), renderCount(count)], podWidth);
    });
    const state = fit(renderNow(column, board, 0, width), stateWidth);
    const what = fit([span(`  ${strategy.way}, ${strategy.connections}`, "faint")], width);
    const line = [...fit([span(strategy.name, "strong")], nameWidth), ...bars.flat(), ...state];
    return spare >= columns.length ? [line, what] : [line];
  });
  return [[span(" ".repeat(nameWidth)), ...heads.flat()], ...rows];
}
