/**
 * Pairs the lines of two programs side by side: a line waits for one of the other side, so that the calls of one second share a
 * row, until `flush` ends the wait.
 */
export class Columns {
  private readonly waiting: readonly [string[], string[]] = [[], []];
  private readonly cell: number;

  /** @param width the width of a row in columns; a longer line is wrapped in its own column */
  constructor(width: number) {
    this.cell = Math.max(10, Math.floor((width - gap.length) / 2));
  }

  /** Adds a line of the left (0) or right (1) side and returns the rows that are complete now. */
  push(side: 0 | 1, line: string): string[] {
    this.waiting[side].push(line);
    const [left, right] = this.waiting;
    const rows: string[] = [];
    while (left.length > 0 && right.length > 0) rows.push(...this.row(left.shift() ?? "", right.shift() ?? ""));
    return rows;
  }

  /** Returns the waiting lines, each with an empty cell on the other side. */
  flush(): string[] {
    const [left, right] = this.waiting.map((lines) => lines.splice(0));
    return [
      ...(left ?? []).flatMap((line) => this.row(line, "")),
      ...(right ?? []).flatMap((line) => this.row("", line)),
    ];
  }

  /** The rows of two lines side by side. */
  row(left: string, right: string): string[] {
    const [a, b] = [this.wrap(left), this.wrap(right)];
    const height = Math.max(a.length, b.length);
    return Array.from({ length: height }, (_, i) => `${(a[i] ?? "").padEnd(this.cell)}${gap}${b[i] ?? ""}`.trimEnd());
  }

  private wrap(line: string): string[] {
    const parts = line.match(new RegExp(`.{1,${this.cell}}`, "gu"));
    return parts ?? [""];
  }
}

const gap = " │ ";
