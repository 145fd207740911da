/** How a piece of text looks: what it means, never what colour that is. */
export type Tone = "plain" | "strong" | "faint" | "good" | "bad" | "warning" | { readonly pod: number };

/** A piece of text in one tone. Its characters are all one cell wide. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** One line of a screen. */
export type Line = readonly Span[];

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });

export const widthOf = (line: Line): number => line.reduce((sum, { text }) => sum + text.length, 0);

/** The line at exactly `width` cells: cut with an ellipsis, or filled up. */
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

/** `left` and `right` at the two ends of `width` cells; what is too much is cut from the left one. */
export function spread(left: Line, right: Line, width: number): Line {
  if (widthOf(right) === 0) return fit(left, width);
  return fit([...fit(left, Math.max(0, width - widthOf(right) - 1)), span(" "), ...right], width);
}

/** Blocks of lines next to each other, each of `width` cells. */
export function beside(blocks: readonly (readonly Line[])[], width: number, gap: number): Line[] {
  const height = Math.max(0, ...blocks.map((block) => block.length));
  return Array.from({ length: height }, (_, row) =>
    blocks.flatMap((block, i) => [...(i > 0 ? [span(" ".repeat(gap))] : []), ...fit(block[row] ?? [], width)]),
  );
}

/** A sentence in lines of at most `width` cells, broken between words; a no-break space (U+00A0) becomes a plain one. */
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

/** What a program said, safe to lay out: control characters and whatever may be wider than a cell become "?". */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e]/gu, "?");
