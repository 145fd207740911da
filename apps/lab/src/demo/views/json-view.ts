import { formatDuration } from "@grpc-lb/core";
import type { PodServer } from "../../processes/pod-server.ts";
import { describeSkipped, type SkippedStrategy } from "../choose-strategies.ts";
import type { Plan } from "../plan.ts";
import type { DemoObserver } from "../run-demo.ts";
import type { Result } from "./result-table.ts";

/** The streams of a JsonView. */
export interface JsonViewOutput {
  writeOut(text: string): void;
  writeErr(text: string): void;
}

/** Prints the result of a run as one JSON object on stdout; before that the servers' process ids and ports on stderr. */
export class JsonView implements DemoObserver {
  readonly #plan: Plan;
  readonly #skipped: readonly SkippedStrategy[];
  readonly #output: JsonViewOutput;
  #servers: readonly PodServer[] = [];

  constructor(plan: Plan, skipped: readonly SkippedStrategy[], output: JsonViewOutput) {
    this.#plan = plan;
    this.#skipped = skipped;
    this.#output = output;
  }

  onServing(servers: readonly PodServer[]): void {
    this.#servers = servers;
    for (const each of this.#skipped) this.#output.writeErr(`lab: ${describeSkipped([each])}\n`);
    for (const { podName, pid, httpPort, grpcPort } of servers) {
      this.#output.writeErr(`lab: ${podName} serves, pid ${pid}, HTTP port ${httpPort}, gRPC port ${grpcPort}\n`);
    }
  }

  onRunning(): void {
    this.#output.writeErr(`lab: the clients call for ${formatDuration(this.#plan.durationMs)}\n`);
  }

  onCall(): void {}

  showResult({ outcomes, skipped, warmUpCalls }: Result): void {
    const { durationMs, intervalMs, seed } = this.#plan;
    const strategies = outcomes.map(({ strategy, verdict, errors, failure }) => ({
      name: strategy.name,
      rule: strategy.rule,
      calls: verdict?.calls ?? 0,
      errors,
      perPod: Object.fromEntries(verdict?.perPod ?? []),
      verdict: verdict?.word ?? null,
      expected: strategy.expected.join(" or "),
      effectiveBackends: verdict?.effectiveBackends ?? null,
      pValue: verdict?.pValue ?? null,
      ok: failure === undefined,
      ...(failure === undefined ? {} : { failure }),
    }));
    const ok = strategies.every((strategy) => strategy.ok);
    const report = { ok, durationMs, intervalMs, seed, warmUpCalls, servers: this.#servers, strategies, skipped };
    this.#output.writeOut(`${JSON.stringify(report, null, 2)}\n`);
  }

  close(): void {}
}
