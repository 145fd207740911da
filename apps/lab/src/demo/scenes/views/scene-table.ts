import { contentWidth, fit, indent, type Line, span, type Tone, widthOf, wrap } from "../../../terminal/line.ts";
import type { Size } from "../../../terminal/screen.ts";
import type { SkippedStrategy } from "../../choose-strategies.ts";
import { podSpan, verdictTones } from "../../views/board-parts.ts";
import type { SceneOutcome } from "../judge-scene.ts";
import type { Measurement, SceneHistory } from "../measure.ts";
import type { Scene, SceneWord } from "../scene.ts";

/** The result of a scene. */
export interface SceneResult {
  readonly scene: Pick<Scene, "name" | "summary">;
  readonly history: SceneHistory;
  readonly outcomes: readonly SceneOutcome[];
  readonly skipped: readonly SkippedStrategy[];
}

interface Column {
  readonly title: string;
  readonly isShare?: boolean;
  readonly cell: (outcome: SceneOutcome) => Line;
}

/** The lines that the shell needs below the result: its prompt, and a blank line. */
const promptRows = 2;
const gap = 2;

/**
 * Renders what the clients went through as a table. The notes come first, so that the table is the last thing on the
 * screen. Where that is too low, a blank line, the legend and the reasons are left out, in this order.
 *
 * @param size the terminal; without `rows` nothing is left out
 */
export function renderSceneResult(result: SceneResult, size: Pick<Size, "columns"> & Partial<Size>): Line[] {
  const width = contentWidth(size.columns);
  const maxLines = (size.rows ?? Number.POSITIVE_INFINITY) - promptRows;
  const legend = wrap(legendOf(result), width, "faint");
  const head = [...renderConclusion(result, width), ...renderSkipped(result, width)];
  const full = renderTable(result, width, true);
  const short = renderTable(result, width, false);
  const layouts = [
    [...head, ...legend, [], ...full],
    [...head, ...legend, ...full],
    [...head, ...full],
    [...head, ...short],
  ];
  const lines = layouts.find((layout) => layout.length <= maxLines) ?? layouts.at(-1) ?? [];
  return lines.map((line) => (line.length === 0 ? line : indent(fit(line, Math.min(width, widthOf(line))), 1)));
}

function renderTable(result: SceneResult, width: number, hasReasons: boolean): Line[] {
  const { columns, rows, widths } = fittingColumns(result, width);
  const join = (cells: readonly Line[]) =>
    cells.flatMap((cell, i) => {
      const pad = span(" ".repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cell))));
      const isLeft = i === 0 || i === cells.length - 1;
      return [...(i > 0 ? [span(" ".repeat(gap))] : []), ...(isLeft ? [...cell, pad] : [pad, ...cell])];
    });
  const lines = result.outcomes.flatMap((outcome, i): Line[] => [
    join(rows[i] ?? []),
    ...renderReason(outcome, width - 2, hasReasons).map((line) => indent(line, 2)),
  ]);
  return [join(columns.map(({ title }) => [span(title, "faint")])), [span("─".repeat(width), "faint")], ...lines];
}

/** Leaves out the shares, and then the times, when the width is too small for all columns. */
function fittingColumns(result: SceneResult, width: number) {
  const all = columnsOf(result);
  const layouts = [all, all.filter(({ isShare }) => !isShare), [...all.slice(0, 2), ...all.slice(-1)]];
  const measured = layouts.map((columns) => {
    const rows = result.outcomes.map((outcome) => columns.map(({ cell }) => cell(outcome)));
    const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => widthOf(row[i] ?? []))));
    return { columns, rows, widths };
  });
  const needs = ({ widths }: { widths: readonly number[] }) => widths.reduce((sum, each) => sum + gap + each, -gap);
  return measured.find((layout) => needs(layout) <= width) ?? (measured[2] as (typeof measured)[0]);
}

/** Columns without a value in any row are left out; calls a second stand for those of times, when no pod came or went. */
function columnsOf({ outcomes, history }: SceneResult): readonly Column[] {
  const hasNew = outcomes.some(({ measurement }) => measurement.firstCalls.length > 0);
  const hasGone = outcomes.some(({ measurement }) => measurement.lastCalls.length > 0);
  const pods = podsAfter(outcomes, history);
  const podNames = history.pods.map(({ podName }) => podName);
  return [
    { title: "strategy", cell: ({ strategy }) => [span(strategy.name, "strong")] },
    { title: "failed", cell: ({ measurement: { failed } }) => [span(String(failed), failed > 0 ? "bad" : "plain")] },
    ...(hasNew ? [{ title: "new pod", cell: firstCallCell }] : []),
    ...(hasGone ? [{ title: "gone pod", cell: lastCallCell }] : []),
    ...(hasNew || hasGone ? [] : [{ title: "calls/s", cell: paceCell }]),
    ...pods.map((pod, i): Column => {
      const title = i === 0 ? pod : pod.slice(pod.lastIndexOf("-"));
      return { title, isShare: true, cell: ({ measurement }) => [podSpan(shareOf(measurement, pod), pod, podNames)] };
    }),
    { title: " verdict", cell: ({ measurement: { word } }) => [span(` ${word}`, toneOf(word))] },
  ];
}

/** The pods that were published at the end, and those that were called nevertheless. */
function podsAfter(outcomes: readonly SceneOutcome[], { pods, published }: SceneHistory): readonly string[] {
  const called = new Set(
    outcomes.flatMap(({ measurement }) =>
      [...(measurement.verdict?.perPod ?? [])].flatMap(([pod, count]) => (count > 0 ? [pod] : [])),
    ),
  );
  return pods.map(({ podName }) => podName).filter((pod) => published.includes(pod) || called.has(pod));
}

function firstCallCell({ measurement: { firstCalls } }: SceneOutcome): Line {
  const times = firstCalls.flatMap(({ ms }) => ms ?? []);
  if (times.length === 0) return [span("never", "bad")];
  if (times.length < firstCalls.length) return [span(`${times.length} of ${firstCalls.length}`, "warning")];
  return [span(formatTime(Math.max(...times)))];
}

function lastCallCell({ measurement: { lastCalls } }: SceneOutcome): Line {
  if (lastCalls.some(({ isStillCalled }) => isStillCalled)) return [span("still", "bad")];
  const times = lastCalls.flatMap(({ ms }) => ms ?? []);
  return [span(times.length === 0 ? "-" : formatTime(Math.max(...times)))];
}

function paceCell({ measurement: { callsPerSecond } }: SceneOutcome): Line {
  const { before, after } = callsPerSecond;
  return [span(`${before.toFixed(0)} → ${after.toFixed(0)}`, after < before / 2 ? "bad" : "plain")];
}

const shareOf = ({ verdict }: Measurement, pod: string) =>
  verdict ? `${Math.round((100 * (verdict.perPod.get(pod) ?? 0)) / verdict.calls)}%` : "-";

const formatTime = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

const toneOf = (word: SceneWord): Tone => (word === "NONE" ? "bad" : verdictTones[word]);

function legendOf(result: SceneResult): string {
  const titles = columnsOf(result).map(({ title }) => title);
  const parts = [
    ...(titles.includes("new pod") ? ["new pod: from ready to the first call, for the slowest"] : []),
    ...(titles.includes("gone pod") ? ["gone pod: from its end to the last call sent there"] : []),
    ...(titles.includes("calls/s") ? ["calls/s: before the scene and after it"] : []),
    "shares and verdict: after the scene",
  ];
  return `${parts.join("; ")}.`;
}

/** A failure is always shown. */
function renderReason({ why, failure }: SceneOutcome, width: number, hasReasons: boolean): Line[] {
  if (!failure && !hasReasons) return [];
  return failure ? wrap(failure, width, "bad") : wrap(why, width, "faint");
}

function renderSkipped({ skipped }: SceneResult, width: number): Line[] {
  return skipped.flatMap(({ name, reason }) => wrap(`${name} is skipped: ${reason}`, width, "warning"));
}

function renderConclusion({ scene, outcomes }: SceneResult, width: number): Line[] {
  const isExpected = !outcomes.some(({ failure }) => failure);
  if (!isExpected) return wrap(`${scene.name}: not every strategy did what is expected of it.`, width, "bad");
  return wrap(`${scene.name}: ${scene.summary}`, width, "strong");
}
