/** What was measured. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value was made of. */
  readonly detail: string;
}

/** A figure with its bound. */
export interface Row extends Figure {
  readonly bound: number;
  /** Whether the value may be more than the bound (`>=`) or less (`<=`). */
  readonly sense: ">=" | "<=" | "=";
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

const isMet = ({ value, bound, sense }: Row): boolean =>
  sense === ">=" ? value >= bound : sense === "<=" ? value <= bound : value === bound;

/** Prints the rows as a table, or with `--json` as JSON; a bound that is missed makes the program exit with 1. */
export function report(rows: readonly (Row | Figure)[]): void {
  const results = rows.map((row) => ({ ...row, result: "bound" in row ? (isMet(row) ? "PASS" : "MISS") : "" }));
  if (results.some(({ result }) => result === "MISS")) process.exitCode = 1;
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
    return;
  }
  const cells = results.map((row) => [
    row.name,
    `${Number(row.value.toFixed(3))}${row.unit}`,
    "bound" in row ? `${row.sense} ${row.bound}${row.unit}` : "no bound",
    row.result,
    row.detail,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) {
    process.stdout.write(`${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}\n`);
  }
}
