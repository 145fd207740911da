import type { Sample, Samples } from "./measure.ts";

/** The figures of one way at one number of calls in flight: medians over the rounds. */
export interface Row {
  readonly way: string;
  /** The way that it is compared with. */
  readonly reference: string;
  readonly inFlight: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly callsPerSecond: number;
  /** Of the client and of what stands between, for 1000 calls. */
  readonly cpuMsPer1000: number;
  readonly clientMiB: number;
  readonly betweenMiB: number;
  /** The median of the rounds' ratios, reference ÷ this way: below 1, the reference is faster, or takes less. */
  readonly ratio: { readonly p50: number; readonly p99: number; readonly cpu: number };
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

export function rowsOf(samples: Samples, inFlight: number): Row[] {
  const byName = new Map([...samples].map(([{ name }, own]) => [name, own]));
  return [...samples].map(([{ name: way, reference }, own]) => {
    const references = byName.get(reference) ?? [];
    const middle = (figure: (sample: Sample) => number) => median(own.map(figure));
    const ratio = (figure: (sample: Sample) => number) =>
      median(own.flatMap((sample, n) => (references[n] ? [figure(references[n]) / figure(sample)] : [])));
    return {
      way,
      reference,
      inFlight,
      p50Ms: middle(({ p50Us }) => p50Us / 1_000),
      p99Ms: middle(({ p99Us }) => p99Us / 1_000),
      callsPerSecond: middle(({ callsPerSecond }) => callsPerSecond),
      cpuMsPer1000: middle(({ cpuMsPer1000 }) => cpuMsPer1000),
      clientMiB: middle(({ rssBytes }) => rssBytes / 2 ** 20),
      betweenMiB: middle(({ betweenBytes }) => betweenBytes / 2 ** 20),
      ratio: {
        p50: ratio(({ p50Us }) => p50Us),
        p99: ratio(({ p99Us }) => p99Us),
        cpu: ratio(({ cpuMsPer1000 }) => cpuMsPer1000),
      },
    };
  });
}

const columns: readonly { readonly title: string; cell(row: Row): string }[] = [
  { title: "in flight", cell: ({ inFlight }) => String(inFlight) },
  { title: "p50", cell: ({ p50Ms }) => `${p50Ms.toFixed(2)} ms` },
  { title: "p99", cell: ({ p99Ms }) => `${p99Ms.toFixed(2)} ms` },
  { title: "calls/s", cell: ({ callsPerSecond }) => callsPerSecond.toFixed(0) },
  { title: "CPU/1000", cell: ({ cpuMsPer1000 }) => `${cpuMsPer1000.toFixed(0)} ms` },
  { title: "client", cell: ({ clientMiB }) => `${clientMiB.toFixed(0)} MiB` },
  { title: "between", cell: ({ betweenMiB }) => (betweenMiB === 0 ? "-" : `${betweenMiB.toFixed(0)} MiB`) },
  { title: "p50 ratio", cell: ({ ratio }) => ratio.p50.toFixed(2) },
  { title: "p99 ratio", cell: ({ ratio }) => ratio.p99.toFixed(2) },
  { title: "CPU ratio", cell: ({ ratio }) => ratio.cpu.toFixed(2) },
];

/** The rows as lines of an aligned table, with its header. */
export function renderTable(rows: readonly Row[]): string[] {
  const names = Math.max(...rows.map(({ way }) => way.length), "way".length);
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => column.cell(row)))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells.map((line, n) => {
    const name = (n === 0 ? "way" : (rows[n - 1]?.way ?? "")).padEnd(names);
    return [name, ...line.map((cell, at) => cell.padStart(widths[at] ?? 0))].join("  ");
  });
}
