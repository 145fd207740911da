import { formatDuration } from "@grpc-lb/core";
import { fit, indent, type Line, span, type Tone, widthOf, wrap } from "../terminal/line.ts";
import { goodLatencyMs, goodServers, slowLatencyMs } from "./fleet.ts";
import { keyCount, keyHeader } from "./load/protocol.ts";
import type { PoliciesPlan } from "./plan.ts";
import type { Row } from "./row.ts";
import { subsetSize } from "./service-config.ts";

interface Column {
  readonly title: string;
  cell(row: Row): string;
  tone?(row: Row): Tone;
  /** Left out on a narrow terminal. */
  readonly isOptional?: boolean;
}

const columns: readonly Column[] = [
  { title: `${goodServers} good`, cell: ({ shares }) => formatShare(shares.good) },
  { title: "busiest", cell: ({ busiest }) => formatShare(busiest), isOptional: true },
  { title: "slow", cell: ({ shares }) => formatShare(shares.slow) },
  { title: "failing", cell: ({ shares }) => formatShare(shares.failing) },
  { title: "frozen", cell: ({ shares }) => formatShare(shares.frozen) },
  { title: "errors", cell: ({ errors }) => formatShare(errors), tone: ({ errors }) => toneOfErrors(errors) },
  { title: "p50", cell: ({ p50Ms }) => formatLatency(p50Ms) },
  { title: "p99", cell: ({ p99Ms }) => formatLatency(p99Ms) },
];

/** The table of a comparison. It renders line by line, so that each row can be shown when it is measured. */
export class Table {
  readonly #nameWidth: number;
  readonly #columns: readonly Column[];
  readonly #width: number;

  /** @param width the maximum width of a line, in cells */
  constructor(policies: readonly string[], width: number) {
    this.#nameWidth = Math.max("policy".length, ...policies.map((name) => name.length));
    const needs = (shown: readonly Column[]) =>
      1 + this.#nameWidth + shown.reduce((sum, column) => sum + cellWidth(column), 0);
    const isTight = needs(columns) > width;
    this.#columns = isTight ? columns.filter(({ isOptional }) => !isOptional) : columns;
    this.#width = Math.min(width, needs(this.#columns));
  }

  get header(): Line[] {
    const titles = this.#columns.map((column) => span(column.title.padStart(cellWidth(column)), "faint"));
    return [
      this.#fit([span("policy".padEnd(this.#nameWidth), "faint"), ...titles]),
      this.#fit([span("─".repeat(Math.max(0, this.#width - 1)), "faint")]),
    ];
  }

  row(row: Row): Line {
    const cells = this.#columns.map((column) => {
      const text = column.cell(row);
      return span(text.padStart(cellWidth(column)), column.tone?.(row) ?? (text === "0 %" ? "faint" : "plain"));
    });
    return this.#fit([span(row.policy.padEnd(this.#nameWidth), "strong"), ...cells]);
  }

  #fit(line: Line): Line {
    return fit(indent(line, 1), Math.min(this.#width, 1 + widthOf(line)));
  }
}

/** Explains what is measured and how to read the table. */
export function renderNotes(plan: PoliciesPlan, width: number): Line[] {
  return notesOn(plan).flatMap((text) => renderText(text, width));
}

/** Above this, a figure says more about the machine than about the policy: a quarter of a good server's latency. */
const busyLagMs = goodLatencyMs / 4;

/** Warns that the machine was too busy for exact latencies; no lines when it was not. */
export function renderBusy(rows: readonly Row[], width: number): Line[] {
  const lagMs = Math.max(0, ...rows.map((row) => row.lagP99Ms ?? 0));
  if (lagMs <= busyLagMs) return [];
  const text = `The machine was busy: 1 of 100 calls started ${lagMs.toFixed(0)} ms late or more, which adds to the latencies.`;
  return [[], ...renderText(text, width)];
}

const renderText = (text: string, width: number) =>
  wrap(text, Math.max(1, width - 2), "faint").map((line) => indent(line, 1));

function notesOn(plan: PoliciesPlan): string[] {
  const { policies, rateHz, durationMs, deadlineMs, hasOutlierDetection } = plan;
  const has = (...names: string[]) => names.some((name) => policies.includes(name));
  const notes = [
    `One client makes ${rateHz} calls a second for ${formatDuration(durationMs)} per policy, at random times and without waiting for earlier calls (an open loop). ` +
      `A good server takes ${goodLatencyMs} ms and the slow one ${slowLatencyMs} ms; the failing one fails at once; the frozen one never answers. ` +
      `Errors are calls that fail or take over ${formatDuration(deadlineMs)}; p50 and p99 are of the others.`,
    "Compare errors first: a policy whose slow calls time out has a good p99. Policies that count or time calls in flight avoid slow and frozen servers, but a failing server looks idle to them; " +
      (hasOutlierDetection
        ? "outlier_detection ejects it when more than half of its calls fail, but no slow one."
        : "--outlier-detection helps there."),
  ];
  if (has("least_request", "peak_ewma")) {
    notes.push("least_request, peak_ewma: in one random pair of five both servers are bad.");
  }
  if (has("ring_hash", "maglev", "source_hash")) {
    notes.push(
      `ring_hash, maglev, source_hash: each of ${keyCount} keys (${keyHeader}) stays on its server, good or bad, which depends on the ports: runs differ.`,
    );
  }
  if (has("locality", "subset")) {
    notes.push(`locality, subset: over least_request, without zones and with ${subsetSize} servers.`);
  }
  if (has("weighted_round_robin")) {
    notes.push(
      "weighted_round_robin: load reports ten times a second, from the first one on (default: once a second, after 10s). A frozen server keeps its weight.",
    );
  }
  if (has("pick_first")) {
    notes.push(
      "pick_first: the last row, because it is luck: it uses one server, the first in a random order. --seed changes it.",
    );
  }
  return notes;
}

/** Formats a share as `0 %`, `0.4 %`, `17 %`; 0 % and 100 % are exact. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  return percent < 9.95 ? `${percent.toFixed(1)} %` : `${percent.toFixed(percent < 99.5 ? 0 : 1)} %`;
}

const formatLatency = (ms: number | null) => (ms === null ? "-" : `${ms.toFixed(0)} ms`);

/** The widest value is `100 ms`. */
const cellWidth = ({ title }: Column) => Math.max(title.length, "100 ms".length) + 2;

function toneOfErrors(errors: number): Tone {
  if (errors === 0) return "good";
  return errors < 0.05 ? "warning" : "bad";
}
