/** The meaning of a piece of text, from which `paint` chooses its colour. */
export type Tone = "plain" | "strong" | "faint" | "good" | "bad" | "warning" | { readonly pod: number };

/** A piece of text in one tone. Each of its characters is one cell wide. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** One line of a screen. */
export type Line = readonly Span[];

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });

export const widthOf = (line: Line): number => line.reduce((sum, { text }) => sum + text.length, 0);

/** Longer lines are harder to read. */
const maxColumns = 98;

/** The blank cells on each side of what a program writes. */
export const margin = 1;

/** The cells between the margins in a terminal of `columns`; at most 96. */
export function contentWidth(columns: number): number {
  return Math.max(1, Math.min(columns, maxColumns) - 2 * margin);
}

/** Cuts a line to exactly `width` cells, with an ellipsis, or pads it. */
export function fit(line: Line, width: number): Line {
  const missing = width - widthOf(line);
  if (missing >= 0) return missing === 0 ? line : [...line, span(" ".repeat(missing))];
  const kept: Span[] = [];
  let left = width - 1;
  for (const { text, tone } of line) {
    if (text.length > left) {
      return width < 1 ? [] : [...kept, span(`${text.slice(0, left)}…`, tone)];
    }
    kept.push(span(text, tone));
    left -= text.length;
  }
  return kept;
}

/** Aligns `left` and `right` to the two ends of `width` cells; cuts `left` first. */
export function spread(left: Line, right: Line, width: number): Line {
  if (widthOf(right) === 0) return fit(left, width);
  return fit([...fit(left, Math.max(0, width - widthOf(right) - 1)), span(" "), ...right], width);
}

/** Joins blocks of lines side by side, each `width` cells wide, with `gap` cells between them. */
export function sideBySide(blocks: readonly (readonly Line[])[], width: number, gap: number): Line[] {
  const height = Math.max(0, ...blocks.map((block) => block.length));
  return Array.from({ length: height }, (_, row) =>
    blocks.flatMap((block, i) => [...(i > 0 ? [span(" ".repeat(gap))] : []), ...fit(block[row] ?? [], width)]),
  );
}

/** Breaks a text between words into lines of at most `width` cells. A no-break space (U+00A0) is shown as a plain one. */
export function wrap(text: string, width: number, tone: Tone = "plain"): Line[] {
  const rows: string[] = [];
  for (const word of text.split(" ")) {
    const row = rows.at(-1);
    if (row !== undefined && row.length + 1 + word.length <= width) rows[rows.length - 1] = `${row} ${word}`;
    else rows.push(word);
  }
  return rows.map((row) => fit([span(row.replaceAll("\u00a0", " "), tone)], Math.min(width, row.length)));
}

export const indent = (line: Line, by: number): Line => [span(" ".repeat(by)), ...line];

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** Draws a bar in steps of an eighth of a cell. `share` is the part of `width` that the bar fills, from 0 to 1. */
export function bar(share: number, width: number): string {
  const steps = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return "█".repeat(Math.floor(steps / 8)) + eighths[steps % 8];
}

/** Replaces control characters, and characters that may be wider than a cell, by "?". */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e]/gu, "?");
