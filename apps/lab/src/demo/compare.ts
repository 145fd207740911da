import { systemClock } from "@grpc-lb/core";
import type { SkippedStrategy } from "./choose-strategies.ts";
import { ClientLog } from "./client-log.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { type Plan, podNames, warmUpCalls } from "./plan.ts";
import { runDemo } from "./run-demo.ts";
import type { Strategy } from "./strategies.ts";
import { JsonView } from "./views/json-view.ts";
import { LiveView } from "./views/live-view.ts";
import { PlainView } from "./views/plain-view.ts";

/** What to compare, and how to show it. */
export interface CompareOptions {
  readonly plan: Plan;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

/**
 * Compares the strategies on pods that do not change, and shows the verdicts.
 *
 * @returns what was not as expected, in one line; undefined when all was
 * @throws as `runDemo` does
 */
export async function compare(options: CompareOptions): Promise<string | undefined> {
  const { plan, strategies, skipped, signal } = options;
  const logs = strategies.map((strategy) => new ClientLog(strategy, podNames(plan), warmUpCalls(plan)));
  const view = createView(options, logs);
  try {
    await runDemo({ plan, logs, observer: view, clock: systemClock, signal });
    const outcomes = logs.map((log) => judgeClient(log, plan));
    view.showResult({ pods: podNames(plan), outcomes, skipped, warmUpCalls: warmUpCalls(plan) });
    return describeFailures(outcomes);
  } finally {
    view.close();
  }
}

function createView(
  { plan, strategies, skipped, isJson }: CompareOptions,
  logs: readonly ClientLog[],
): JsonView | LiveView | PlainView {
  const writeOut = (text: string) => void process.stdout.write(text);
  if (isJson) return new JsonView(plan, skipped, { writeOut, writeErr: (text) => void process.stderr.write(text) });
  if (!process.stdout.isTTY || process.env.TERM === "dumb")
    return new PlainView({ plan, strategies, skipped }, writeOut);
  const isColoured = !process.env.NO_COLOR;
  return new LiveView({ plan, logs, skipped, clock: systemClock, terminal: process.stdout, isColoured });
}
