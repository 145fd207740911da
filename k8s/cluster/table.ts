/** A column of a table: its title, and the side on which its cells stand. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** The lines of a table, each column as wide as its widest cell. */
export function alignTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => (cells[i] ?? "").length)));
  return lines.map((cells) =>
    columns
      .map(({ align }, i) => {
        const [cell, width] = [cells[i] ?? "", widths[i] ?? 0];
        return align === "left" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

/** The same as a table in Markdown. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = columns.map(({ align }) => (align === "left" ? "---" : "---:"));
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)];
}
