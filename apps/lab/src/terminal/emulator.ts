import headless, { type Terminal as HeadlessTerminal, type IBufferCell } from "@xterm/headless";

/** Neighbouring cells of a row that look alike. */
export interface CellRun {
  readonly column: number;
  readonly text: string;
  /** An index into the 256 colours; undefined is the terminal's own. */
  readonly colour: number | undefined;
  readonly isBold: boolean;
  readonly isFaint: boolean;
}

/** What stands on a terminal's screen, row by row. */
export type Cells = readonly (readonly CellRun[])[];

/** A terminal without a screen that takes in what a program writes. */
export function createTerminal(columns: number, rows: number): HeadlessTerminal {
  return new headless.Terminal({ cols: columns, rows, scrollback: 200, allowProposedApi: true });
}

/** Resolves when the terminal has taken all of it in. */
export function feed(terminal: HeadlessTerminal, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => terminal.write(bytes, resolve));
}

/** Reads the rows of the screen, or from the first line of the scrollback on. */
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
      if (last && looksAlike(last, run)) runs[runs.length - 1] = { ...last, text: last.text + run.text };
      else runs.push(run);
    }
    rows.push(runs);
  }
  return rows;
}

/** The rows as text, without blanks at their ends. */
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

const looksAlike = (a: CellRun, b: CellRun) =>
  a.colour === b.colour && a.isBold === b.isBold && a.isFaint === b.isFaint;
