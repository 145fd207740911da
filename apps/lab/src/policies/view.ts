import { contentWidth, type Line } from "../terminal/line.ts";
import { paint } from "../terminal/paint.ts";
import type { FleetServer } from "./fleet.ts";
import type { Measured } from "./load/protocol.ts";
import type { PoliciesPlan } from "./plan.ts";
import { createRow, type Row } from "./row.ts";
import type { ComparisonObserver } from "./run-comparison.ts";
import { renderBusy, renderNotes, Table } from "./table.ts";

/** An output stream. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Options of a PoliciesView. */
export interface ViewOptions {
  readonly plan: PoliciesPlan;
  readonly isJson: boolean;
  readonly isColoured: boolean;
  readonly out: Output;
  readonly err: Output;
}

const eraseLine = "\r\x1b[K";
const pipeColumns = 100;

/**
 * Shows a comparison: on `out` notes and a table, each row as soon as it is measured, or at the end one JSON object; on `err` the
 * progress. The notes come first, so that the table is the last thing on a low screen.
 */
export class PoliciesView implements ComparisonObserver {
  readonly #options: ViewOptions;
  readonly #columns: number;
  readonly #table: Table;
  readonly #rows: Row[] = [];
  #servers: readonly FleetServer[] = [];

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#columns = contentWidth((options.out.isTTY && options.out.columns) || pipeColumns) + 1;
    this.#table = new Table(options.plan.policies, this.#columns);
    this.#progress("starting servers …");
  }

  onServing(servers: readonly FleetServer[]): void {
    this.#servers = servers;
    if (this.#options.isJson) {
      for (const { podName, pid, grpcPort } of servers) {
        this.#progress(`${podName} serves, pid ${pid}, gRPC port ${grpcPort}`);
      }
    } else {
      this.#writeLines([[], ...renderNotes(this.#options.plan, this.#columns), [], ...this.#table.header]);
    }
  }

  onPolicy(policy: string): void {
    const { plan } = this.#options;
    this.#progress(`${policy}: ${this.#rows.length + 1} of ${plan.policies.length} …`);
  }

  onMeasured(policy: string, measured: Measured): void {
    const row = createRow(policy, measured, this.#servers);
    this.#rows.push(row);
    if (!this.#options.isJson) this.#writeLines([this.#table.row(row)]);
  }

  /** All policies are measured. */
  showEnd(): void {
    const { plan, isJson, out } = this.#options;
    if (!isJson) {
      this.#writeLines(renderBusy(this.#rows, this.#columns));
      return;
    }
    this.close();
    const servers = this.#servers.map(({ podName, kind }) => ({ name: podName, kind }));
    const { policies: _, ...rest } = plan;
    out.write(`${JSON.stringify({ ...rest, servers, policies: this.#rows }, null, 2)}\n`);
  }

  /** Erases the progress line. */
  close(): void {
    if (this.#options.err.isTTY) this.#options.err.write(eraseLine);
  }

  #writeLines(lines: readonly Line[]): void {
    this.close();
    const { out, isColoured } = this.#options;
    for (const line of lines) out.write(`${paint(line, isColoured)}\n`);
  }

  #progress(text: string): void {
    const { err } = this.#options;
    err.write(err.isTTY ? `${eraseLine} ${text}` : `policies: ${text}\n`);
  }
}
