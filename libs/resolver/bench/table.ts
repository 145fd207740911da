/** A figure beside its bound. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: number;
  /** Whether the value may be more than the bound (`>=`) or less (`<=`). */
  readonly sense: ">=" | "<=" | "=";
  /** What the value was made of. */
  readonly detail: string;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

const isMet = ({ value, bound, sense }: Row): boolean =>
  sense === ">=" ? value >= bound : sense === "<=" ? value <= bound : value === bound;

/** Prints the rows as a table, or with `--json` as JSON; a bound that is missed makes the program exit with 1. */
export function report(rows: readonly Row[]): void {
  const results = rows.map((row) => ({ ...row, result: isMet(row) ? "PASS" : "MISS" }));
  if (results.some(({ result }) => result === "MISS")) process.exitCode = 1;
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
    return;
  }
  const cells = results.map(({ name, value, unit, bound, sense, detail, result }) => [
    name,
    `${Number(value.toFixed(3))}${unit}`,
    `${sense} ${bound}${unit}`,
    result,
    detail,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) {
    process.stdout.write(`${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}\n`);
  }
}
