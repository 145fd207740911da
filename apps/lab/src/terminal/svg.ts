import type { CellRun, Cells } from "./emulator.ts";

/** The screen at a moment of the recorded run. */
export interface Frame {
  readonly atMs: number;
  readonly cells: Cells;
}

/** A recorded run of a program in a terminal. */
export interface RecordingOptions {
  readonly title: string;
  readonly columns: number;
  /** In order of time. Where animation is off, only the last one is shown. */
  readonly frames: readonly Frame[];
  /** How long the last frame is shown before the animation starts over, in milliseconds. */
  readonly restMs: number;
}

const cellWidth = 8.4;
const cellHeight = 18;
const baseline = 13;
const padding = 18;
const titleBar = 36;
const fonts = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
const ground = "#0d1117";
const border = "#30363d";
const textColour = "#e6edf3";
const faintColour = "#8b949e";

/**
 * Draws a recorded run in a terminal window as an SVG that is animated by CSS alone.
 *
 * @throws RangeError without a frame
 */
export function renderSvg(options: RecordingOptions): string {
  const last = options.frames.at(-1);
  if (!last) throw new RangeError("frames must not be empty");
  const rows = Math.max(...options.frames.map(({ cells }) => heightOf(cells)));
  const width = Math.ceil(options.columns * cellWidth + 2 * padding);
  const height = Math.ceil(rows * cellHeight + titleBar + padding);
  const totalMs = last.atMs + options.restMs;

  // A row is drawn once per change, not once per frame.
  const drawn: string[] = [];
  const rules: string[] = [];
  for (let y = 0; y < rows; y++) {
    for (const { markup, fromMs, toMs } of rowTimeline(options.frames, y)) {
      if (markup === "") continue;
      const isFirst = fromMs === 0;
      const isLast = toMs === undefined;
      if (isFirst && isLast) drawn.push(markup);
      else {
        const name = `r${rules.length.toString(36)}`;
        rules.push(keyframes(name, isFirst ? 0 : fromMs / totalMs, isLast ? 1 : toMs / totalMs, totalMs));
        drawn.push(`<g class="${name}${isLast ? "" : " past"}">${markup}</g>`);
      }
    }
  }

  const style = [
    `text{font:13.5px ${fonts};fill:${textColour};white-space:pre}`,
    ".b{font-weight:700}",
    ".past{visibility:hidden}",
    `@media (prefers-reduced-motion:no-preference){${rules.join("")}}`,
  ].join("");
  const buttons = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, i) => `<circle cx="${padding + 6 + i * 20}" cy="${titleBar / 2}" r="6" fill="${fill}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(options.title)}</title>`,
    `<style>${style}</style>`,
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10" fill="${ground}" stroke="${border}"/>`,
    ...buttons,
    `<text x="${width / 2}" y="${titleBar / 2 + 4.5}" text-anchor="middle" style="fill:${faintColour}">${escapeXml(options.title)}</text>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

interface RowPeriod {
  readonly markup: string;
  readonly fromMs: number;
  /** Undefined when the row does not change any more. */
  readonly toMs: number | undefined;
}

function rowTimeline(frames: readonly Frame[], y: number): RowPeriod[] {
  const periods: RowPeriod[] = [];
  for (const [i, { atMs, cells }] of frames.entries()) {
    const markup = renderRow(cells[y] ?? [], y);
    const before = periods.at(-1);
    if (before?.markup === markup) continue;
    if (before) periods[periods.length - 1] = { ...before, toMs: atMs };
    periods.push({ markup, fromMs: i === 0 ? 0 : atMs, toMs: undefined });
  }
  return periods;
}

/** The CSS animation of an element that is visible from one share of the total time to another, without fading. */
function keyframes(name: string, from: number, to: number, totalMs: number): string {
  const percent = (share: number) => `${Math.round(share * 10_000) / 100}%`;
  const stops = [
    ...(from > 0 ? [`0%{visibility:hidden}`] : []),
    `${percent(from)}{visibility:visible}`,
    ...(to < 1 ? [`${percent(to)}{visibility:hidden}`] : []),
    `to{visibility:${to < 1 ? "hidden" : "visible"}}`,
  ];
  return `@keyframes ${name}{${stops.join("")}}.${name}{animation:${name} ${totalMs}ms step-end infinite}`;
}

function renderRow(runs: readonly CellRun[], y: number): string {
  return runs.map((run) => renderRun(run, y)).join("");
}

/** Drawn as shapes, because fonts differ in these characters and leave gaps between them. The values are line widths. */
const bars = "▏▎▍▌▋▊▉█";
const rules: Readonly<Record<string, number>> = { "─": 1, "━": 3 };

function renderRun(run: CellRun, y: number): string {
  const fill = colourOf(run);
  let markup = "";
  // Blocks, rules and texts of one style may follow each other; blanks are not drawn.
  for (const match of run.text.matchAll(/[▏▎▍▌▋▊▉█]+|─+|━+|[^▏▎▍▌▋▊▉█─━ ]+(?: [^▏▎▍▌▋▊▉█─━ ]+)*/gu)) {
    const [text] = match;
    const x = padding + (run.column + match.index) * cellWidth;
    const first = text.charAt(0);
    const thickness = rules[first];
    if (thickness !== undefined) {
      const middle = titleBar + y * cellHeight + cellHeight / 2 - thickness / 2;
      markup += rect(x, middle, text.length * cellWidth, thickness, fill);
    } else if (bars.includes(first)) {
      const cells = [...text].reduce((sum, char) => sum + (bars.indexOf(char) + 1) / 8, 0);
      markup += rect(x, titleBar + y * cellHeight + 3, cells * cellWidth, cellHeight - 6, fill);
    } else {
      const textY = titleBar + y * cellHeight + baseline;
      const length = text.length > 1 ? ` textLength="${number(text.length * cellWidth)}"` : "";
      const style = fill === textColour ? "" : ` style="fill:${fill}"`;
      const weight = run.isBold ? ' class="b"' : "";
      markup += `<text x="${number(x)}" y="${textY}"${length}${weight}${style}>${escapeXml(text)}</text>`;
    }
  }
  return markup;
}

function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${height}" fill="${fill}"/>`;
}

const number = (value: number) => String(Math.round(value * 100) / 100);

const heightOf = (cells: Cells) => cells.findLastIndex((runs) => runs.some((run) => run.text.trim() !== "")) + 1;

/** The colours of the verdicts, from GitHub's dark theme. */
const firstColours: Readonly<Record<number, string>> = { 1: "#ff7b72", 2: "#56d364", 3: "#e3b341" };

function colourOf({ colour, isFaint }: CellRun): string {
  if (colour === undefined) return isFaint ? faintColour : textColour;
  const named = firstColours[colour];
  if (named) return named;
  if (colour >= 232) return hex([1, 1, 1].map(() => 8 + (colour - 232) * 10));
  // The 6x6x6 cube of the 256 colours.
  const cube = colour - 16;
  return hex([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((level) => (level ? 55 + level * 40 : 0)));
}

const hex = (levels: readonly number[]) => `#${levels.map((level) => level.toString(16).padStart(2, "0")).join("")}`;

const escapeXml = (text: string) =>
  text.replace(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char] ?? char);
