import headless, { type Terminal as HeadlessTerminal, type IBufferCell } from "@xterm/headless";

/** Adjacent cells of a row that have the same style. */
export interface CellRun {
  readonly column: number;
  readonly text: string;
  /** An index into the 256-colour palette; undefined is the terminal's default. */
  readonly colour: number | undefined;
  readonly isBold: boolean;
  readonly isFaint: boolean;
}

/** The cells of a screen, row by row. */
export type Cells = readonly (readonly CellRun[])[];

/** Creates a terminal emulator without a display. */
export function createTerminal(columns: number, rows: number): HeadlessTerminal {
  return new headless.Terminal({ cols: columns, rows, scrollback: 200, allowProposedApi: true });
}

/** Writes to the emulator; resolves when it has processed the bytes and everything written before. */
export function feed(terminal: HeadlessTerminal, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => terminal.write(bytes, resolve));
}

/** Reads the rows of the screen; with `scrollback` those above it too. */
export function readCells(terminal: HeadlessTerminal, from: "screen" | "scrollback" = "screen"): Cells {
  const buffer = terminal.buffer.active;
  const rows: CellRun[][] = [];
  for (let y = from === "screen" ? buffer.baseY : 0; y < buffer.baseY + terminal.rows; y++) {
    const runs: CellRun[] = [];
    for (let x = 0; x < terminal.cols; x++) {
      const cell = buffer.getLine(y)?.getCell(x);
      if (!cell) continue;
      const run = runOf(cell, x);
      const last = runs.at(-1);
      if (last && hasSameStyle(last, run)) runs[runs.length - 1] = { ...last, text: last.text + run.text };
      else runs.push(run);
    }
    rows.push(runs);
  }
  return rows;
}

/** Reads the rows as text, without trailing blanks. */
export function readText(terminal: HeadlessTerminal, from: "screen" | "scrollback" = "screen"): string[] {
  return readCells(terminal, from).map((runs) =>
    runs
      .map((run) => run.text)
      .join("")
      .trimEnd(),
  );
}

function runOf(cell: IBufferCell, column: number): CellRun {
  return {
    column,
    text: cell.getChars() || " ",
    colour: cell.isFgPalette() ? cell.getFgColor() : undefined,
    isBold: cell.isBold() !== 0,
    isFaint: cell.isDim() !== 0,
  };
}

const hasSameStyle = (a: CellRun, b: CellRun) =>
  a.colour === b.colour && a.isBold === b.isBold && a.isFaint === b.isFaint;
