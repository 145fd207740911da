import { messageOf, systemClock } from "@grpc-lb/core";
import {
  choiceFlag,
  durationFlag,
  type Flag,
  integerFlag,
  ProgramError,
  runProgram,
  switchFlag,
} from "@grpc-lb/program";
import { chooseStrategies, describeSkipped, type SkippedStrategy, skipUnavailable } from "./choose-strategies.ts";
import { ClientLog } from "./client-log.ts";
import { demoPolicies } from "./expectations.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { type Plan, podNames, validatePlan, warmUpCalls } from "./plan.ts";
import { runDemo } from "./run-demo.ts";
import { createStrategies, type Strategy } from "./strategies.ts";
import { JsonView } from "./views/json-view.ts";
import { LiveView } from "./views/live-view.ts";
import { PlainView } from "./views/plain-view.ts";

const strategyNames = createStrategies("round_robin").map(({ name }) => name);

const strategiesFlag: Flag<string | undefined> = {
  metavar: "names",
  help: `strategies to run, separated by commas, or all: ${strategyNames.join(", ")}; the third has the name of --policy`,
  default: undefined,
  defaultText: "the first four",
  parse: (text) => text,
};

const flags = {
  duration: durationFlag({ help: "how long the clients call", default: 6_000 }),
  interval: durationFlag({ help: "pause between two calls of a client", default: 120, minMs: 1 }),
  servers: integerFlag({ help: "number of servers, which represent pods", default: 3, min: 2, max: 9 }),
  policy: choiceFlag({
    metavar: "name",
    help: "load balancing policy of the clients that know the pods",
    default: "round_robin",
    choices: demoPolicies,
  }),
  strategies: strategiesFlag,
  seed: integerFlag({
    help: "seed of the Service's random picks; the same seed gives the same picks",
    default: 75,
    min: 0,
  }),
  json: switchFlag({ help: "print the result as one JSON object on stdout, and nothing else there" }),
};

const summary = "Shows how gRPC calls behind a Kubernetes Service all reach one pod, and the cures, without a cluster.";

void runProgram({ name: "lab", summary, flags }, async ({ flags, signal }) => {
  // Exit at once when the terminal is gone, or on Ctrl-\. The exit listeners end the processes and show the cursor.
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGQUIT", () => process.exit(131));
  const plan = readPlan(flags);
  const { strategies, skipped } = await skipUnavailable(readStrategies(flags));
  if (strategies.length === 0) throw new ProgramError(`nothing to show: ${describeSkipped(skipped)}`, { exitCode: 1 });
  const logs = strategies.map((strategy) => new ClientLog(strategy, podNames(plan), warmUpCalls(plan)));
  const view = createView({ plan, logs, skipped }, flags.json);
  try {
    await runDemo({ plan, logs, observer: view, clock: systemClock, signal });
    const outcomes = logs.map((log) => judgeClient(log, plan));
    view.showResult({ pods: podNames(plan), outcomes, skipped, warmUpCalls: warmUpCalls(plan) });
    const failures = describeFailures(outcomes);
    if (failures) throw new ProgramError(failures, { exitCode: 1 });
    return 0;
  } catch (error) {
    if (signal.reason === "EPIPE") return 0; // the reader of the output has exited
    throw error;
  } finally {
    view.close();
  }
});

function readPlan(values: { duration: number; interval: number; servers: number; seed: number }): Plan {
  const { duration: durationMs, interval: intervalMs, servers, seed } = values;
  return asUsageError(() => validatePlan({ durationMs, intervalMs, servers, seed }));
}

function readStrategies(values: { policy: string; strategies: string | undefined }): readonly Strategy[] {
  return asUsageError(() => chooseStrategies(createStrategies(values.policy), values.strategies));
}

/** Turns an error into one of usage (exit code 2). */
function asUsageError<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
}

interface ViewInput {
  readonly plan: Plan;
  readonly logs: readonly ClientLog[];
  readonly skipped: readonly SkippedStrategy[];
}

function createView({ plan, logs, skipped }: ViewInput, isJson: boolean): JsonView | LiveView | PlainView {
  const writeOut = (text: string) => void process.stdout.write(text);
  if (isJson) return new JsonView(plan, skipped, { writeOut, writeErr: (text) => void process.stderr.write(text) });
  const strategies = logs.map(({ strategy }) => strategy);
  if (!process.stdout.isTTY || process.env.TERM === "dumb")
    return new PlainView({ plan, strategies, skipped }, writeOut);
  const isColoured = !process.env.NO_COLOR;
  return new LiveView({ plan, logs, skipped, clock: systemClock, terminal: process.stdout, isColoured });
}
