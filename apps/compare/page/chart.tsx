import { useEffect, useRef, useState } from "preact/hooks";
import UPlot from "uplot";
import { formatTime } from "./format.ts";
import type { Mark, PointSeries } from "./point-series.ts";

/** Lines differ in colour and in dashes. */
const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** Calls a second of each client, over two minutes. */
export function Chart({ names, series }: { names: readonly string[]; series: PointSeries }) {
  const place = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const key = names.join(" ");
  useEffect(() => {
    const element = place.current;
    if (!element || names.length === 0) return undefined;
    const styles = getComputedStyle(element);
    const colour = (name: string) => styles.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--ink"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "13px system-ui, sans-serif",
    };
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const chart = new UPlot(
      {
        ...size(),
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: false }, y: { range: (_chart, _min, max) => [0, Math.max(5, max * 1.1)] } },
        axes: [
          { ...axis, values: (_chart, ticks) => ticks.map((second) => formatTime(second * 1_000)), size: 26 },
          { ...axis, size: 38 },
        ],
        hooks: { draw: [(drawn) => drawMarks(drawn, series.marks, colour("--soft"))] },
        series: [
          {},
          ...names.map((label, i) => ({
            label,
            stroke: colour(`--pod-${i % 6}`),
            width: 2,
            dash: dashes[i % dashes.length] ?? [],
            points: { show: false },
          })),
        ],
      },
      series.columns(names.length),
      element,
    );
    const stop = series.watch(() => chart.setData(series.columns(names.length)));
    const sizes = new ResizeObserver(() => chart.setSize(size()));
    sizes.observe(element);
    return () => {
      stop();
      sizes.disconnect();
      chart.destroy();
    };
  }, [key, theme]);
  return (
    <section class="chart" aria-label="Calls a second">
      <p class="legend">
        calls/s
        {names.map((name, i) => (
          <span key={name}>
            <svg width="28" height="6" aria-hidden="true">
              <line
                x1="0"
                y1="3"
                x2="28"
                y2="3"
                class={`stroke-${i % 6}`}
                stroke-width="3"
                stroke-dasharray={dashes[i % dashes.length]?.join(" ") ?? ""}
              />
            </svg>
            {name}
          </span>
        ))}
      </p>
      <div class="plot" ref={place} aria-hidden="true" />
    </section>
  );
}

/** Draws a line where the pods changed, with the letter of the pod. */
function drawMarks(chart: UPlot, marks: readonly Mark[], colour: string): void {
  const { ctx: context, bbox: box, scales } = chart;
  const { min = 0, max = 0 } = scales.x ?? {};
  context.save();
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.setLineDash([4, 4]);
  context.font = `bold ${13 * devicePixelRatio}px system-ui, sans-serif`;
  for (const { atS, text } of marks) {
    if (atS < (min ?? 0) || atS > (max ?? 0)) continue;
    const x = chart.valToPos(atS, "x", true);
    context.beginPath();
    context.moveTo(x, box.top);
    context.lineTo(x, box.top + box.height);
    context.stroke();
    context.fillText(text, x + 3, box.top + 12 * devicePixelRatio);
  }
  context.restore();
}

/** `dark` or `light`; a change draws the chart again, because a canvas has no style sheet. */
function useTheme(): string {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return isDark ? "dark" : "light";
}
