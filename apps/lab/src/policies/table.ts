import { formatDuration } from "@grpc-lb/core";
import { fit, indent, type Line, span, type Tone, widthOf, wrap } from "../terminal/line.ts";
import { goodLatencyMs, goodServers, slowLatencyMs } from "./fleet.ts";
import { keyCount, keyHeader } from "./load/flags.ts";
import type { PoliciesPlan } from "./plan.ts";
import type { Row } from "./row.ts";
import { subsetSize } from "./service-config.ts";

interface Column {
  readonly title: string;
  cell(row: Row): string;
  tone?(row: Row): Tone;
  /** Left out where the terminal is narrow. */
  readonly isSpare?: boolean;
}

const columns: readonly Column[] = [
  { title: `${goodServers} good`, cell: ({ shares }) => formatShare(shares.good) },
  { title: "busiest", cell: ({ busiest }) => formatShare(busiest), isSpare: true },
  { title: "slow", cell: ({ shares }) => formatShare(shares.slow) },
  { title: "failing", cell: ({ shares }) => formatShare(shares.failing) },
  { title: "frozen", cell: ({ shares }) => formatShare(shares.frozen) },
  { title: "errors", cell: ({ errors }) => formatShare(errors), tone: ({ errors }) => toneOfErrors(errors) },
  { title: "p50", cell: ({ p50Ms }) => formatLatency(p50Ms) },
  { title: "p99", cell: ({ p99Ms }) => formatLatency(p99Ms) },
];

/** The table of a comparison, line by line, so that a row can be shown as soon as it is measured. */
export class Table {
  readonly #nameWidth: number;
  readonly #columns: readonly Column[];
  readonly #width: number;

  /** @param width how many cells there are; lines are never wider */
  constructor(policies: readonly string[], width: number) {
    this.#nameWidth = Math.max("policy".length, ...policies.map((name) => name.length));
    const needs = (shown: readonly Column[]) =>
      1 + this.#nameWidth + shown.reduce((sum, column) => sum + cellWidth(column), 0);
    const isTight = needs(columns) > width;
    this.#columns = isTight ? columns.filter(({ isSpare }) => !isSpare) : columns;
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

/** What stands under the table: what was measured, and how to read it. */
export function renderNotes(plan: PoliciesPlan, rows: readonly Row[], width: number): Line[] {
  const lagMs = Math.max(0, ...rows.map((row) => row.lagP99Ms ?? 0));
  const texts = notesOn(plan, lagMs);
  return texts.flatMap((text): Line[] => [
    [],
    ...wrap(text, Math.max(1, width - 2), "faint").map((line) => indent(line, 1)),
  ]);
}

/** From here on, figures say more about the machine than about policies: a quarter of what a good server takes. */
const busyLagMs = goodLatencyMs / 4;

function notesOn(plan: PoliciesPlan, lagMs: number): string[] {
  const { policies, rateHz, durationMs, deadlineMs, hasOutlierDetection } = plan;
  const has = (...names: string[]) => names.some((name) => policies.includes(name));
  const deadline = formatDuration(deadlineMs);
  const notes = [
    `${rateHz} calls a second on the mean for ${formatDuration(durationMs)}, at random times and whether or not earlier ones have ended (an open loop), from one client. ` +
      `Shares are of these calls; one that fails or takes more than ${deadline} is an error; p50 and p99 are of the others, from when they were due. ` +
      `A good server takes ${goodLatencyMs} ms, the slow one ${slowLatencyMs} ms; the failing one says at once that it fails; the frozen one was stopped when all were connected, takes calls and never answers. ` +
      `busiest is the share of the one server that got most.`,
    "Read errors first: a policy under which slow calls die has a good p99. One that looks at nothing gives each server its part, and so to each bad one; " +
      "one that counts calls under way, or times them, leaves those where they pile up, but to a count alone a server that fails at once looks idle." +
      (hasOutlierDetection
        ? " Here outlier_detection looks every 0.5s and takes out servers of whose calls more than half fail; a slow one is none to it."
        : " Against that there is outlier_detection: run this with --outlier-detection."),
  ];
  if (has("least_request", "peak_ewma")) {
    notes.push(
      "least_request and peak_ewma compare two servers drawn at random: one draw in five of these six is of two bad ones, and one of them gets the call.",
    );
  }
  if (has("ring_hash", "maglev", "source_hash")) {
    notes.push(
      `The hash policies keep each key on its server, good or bad (source_hash while that has not too much under way); each call brings one of ${keyCount} keys in ${keyHeader}. Their shares depend on the servers' ports, and so on the run.`,
    );
  }
  if (has("pick_first"))
    notes.push(
      "pick_first has one connection: its row is that of the server which stood first in the list, by the seed.",
    );
  if (has("locality", "subset")) {
    notes.push(
      `locality and subset stand over least_request. No server has a zone, so that locality shows its child; subset has ${subsetSize} of the servers, and which depends on their ports.`,
    );
  }
  if (has("weighted_round_robin")) {
    notes.push(
      "weighted_round_robin goes by what servers report of their load, here from the first report on and ten times a second; its defaults are 10s and once a second. A frozen server's last report counts on.",
    );
  }
  if (lagMs > busyLagMs) {
    notes.push(
      `The machine was busy: of 100 calls one was sent ${lagMs.toFixed(0)} ms late or more, and latencies have that in them.`,
    );
  }
  return notes;
}

/** `0 %`, `0.4 %`, `17 %`: below ten percent with a digit more. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  return percent < 9.95 ? `${percent.toFixed(1)} %` : `${percent.toFixed(percent < 99.5 ? 0 : 1)} %`;
}

const formatLatency = (ms: number | null) => (ms === null ? "-" : `${ms.toFixed(0)} ms`);

/** A blank before the widest value, `100 ms`, and before the title. */
const cellWidth = ({ title }: Column) => Math.max(title.length, "100 ms".length) + 2;

function toneOfErrors(errors: number): Tone {
  if (errors === 0) return "good";
  return errors < 0.05 ? "warning" : "bad";
}
