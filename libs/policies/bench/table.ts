/** What was measured. */
export interface Figure {
  readonly name: string;
  /** Undefined if it could not be measured; `detail` has the reason. */
  readonly value: number | undefined;
  readonly unit: string;
  /** What the value was made of. */
  readonly detail: string;
}

/** A figure with its bound. */
export interface Row extends Figure {
  readonly value: number;
  readonly bound: number;
  /** Whether the value may be more than the bound (`>=`) or less (`<=`). */
  readonly sense: ">=" | "<=";
}

/** The value below which a part of the values lies; `0.5` is the median. */
export const quantile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (above - below) * (at - Math.floor(at));
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);

const isMet = ({ value, bound, sense }: Row): boolean => (sense === ">=" ? value >= bound : value <= bound);

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
    row.value === undefined ? "skipped" : `${Number(row.value.toPrecision(3))}${row.unit}`,
    "bound" in row ? `${row.sense} ${row.bound}${row.unit}` : "no bound",
    row.result,
    row.detail,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) {
    process.stdout.write(`${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd().concat("\n"));
  }
}
