import { systemClock } from "@grpc-lb/core";
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
import { podPolicy, podPolicyNames } from "./expectations.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { type Plan, podNames, validatePlan, warmUpCalls } from "./plan.ts";
import { runLab } from "./run-demo.ts";
import { createStrategies, type Strategy } from "./strategies.ts";
import { JsonView } from "./views/json-view.ts";
import { LiveView } from "./views/live-view.ts";
import { PlainView } from "./views/plain-view.ts";

const strategyNames = createStrategies(podPolicy("round_robin")).map(({ name }) => name);

const strategiesFlag: Flag<string | undefined> = {
  metavar: "names",
  help: `ways to call the pods, with commas between them, or all: ${strategyNames.join(", ")}; the third is named by the policy`,
  default: undefined,
  defaultText: "the first four",
  parse: (text) => text,
};

const flags = {
  duration: durationFlag({ help: "how long the clients call", default: 10_000 }),
  interval: durationFlag({ help: "pause between the calls of a client", default: 200, minMs: 1 }),
  servers: integerFlag({ help: "how many servers stand for pods", default: 3, min: 2, max: 9 }),
  policy: choiceFlag({
    metavar: "name",
    help: "how the clients that know the pods choose among them",
    default: "round_robin",
    choices: podPolicyNames,
  }),
  strategies: strategiesFlag,
  seed: integerFlag({
    help: "seed of the Service's random picks; the same seed, the same picks",
    default: 75,
    min: 0,
  }),
  json: switchFlag({ help: "print the result as one JSON object, and nothing else, on stdout" }),
};

const summary = "Shows on this machine, with no cluster, what gRPC does wrong behind a Kubernetes Service, and a cure.";

void runProgram({ name: "lab", summary, flags }, async ({ flags, signal }) => {
  // The terminal is gone, or Ctrl-\ wants the end at once: what waits for `exit` ends the clients and shows the cursor.
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGQUIT", () => process.exit(131));
  const plan = readPlan(flags);
  const { strategies, skipped } = await skipUnavailable(readStrategies(flags));
  if (strategies.length === 0) throw new ProgramError(`nothing to show: ${describeSkipped(skipped)}`, { exitCode: 1 });
  const logs = strategies.map((strategy) => new ClientLog(strategy, podNames(plan), warmUpCalls(plan)));
  const view = createView({ plan, logs, skipped }, flags.json);
  try {
    await runLab({ plan, logs, watcher: view, clock: systemClock, signal });
    const outcomes = logs.map((log) => judgeClient(log, plan));
    view.showResult({ pods: podNames(plan), outcomes, skipped, warmUpCalls: warmUpCalls(plan) });
    const failures = describeFailures(outcomes);
    if (failures) throw new ProgramError(failures, { exitCode: 1 });
    return 0;
  } catch (error) {
    if (signal.reason === "EPIPE") return 0; // nobody reads any more, and so nobody waits for a verdict
    throw error;
  } finally {
    view.close();
  }
});

function readPlan(values: { duration: number; interval: number; servers: number; seed: number }): Plan {
  const { duration: durationMs, interval: intervalMs, servers, seed } = values;
  return asUsage(() => validatePlan({ durationMs, intervalMs, servers, seed }));
}

function readStrategies(values: { policy: string; strategies: string | undefined }): readonly Strategy[] {
  return asUsage(() => chooseStrategies(createStrategies(podPolicy(values.policy)), values.strategies));
}

/** What the library refuses, the user has asked for. */
function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ProgramError((cause as Error).message, { cause, exitCode: 2 });
  }
}

interface Shown {
  readonly plan: Plan;
  readonly logs: readonly ClientLog[];
  readonly skipped: readonly SkippedStrategy[];
}

function createView({ plan, logs, skipped }: Shown, isJson: boolean): JsonView | LiveView | PlainView {
  const writeOut = (text: string) => void process.stdout.write(text);
  if (isJson) return new JsonView(plan, skipped, { writeOut, writeErr: (text) => void process.stderr.write(text) });
  const strategies = logs.map(({ strategy }) => strategy);
  if (!process.stdout.isTTY || process.env.TERM === "dumb")
    return new PlainView({ plan, strategies, skipped }, writeOut);
  const isColoured = !process.env.NO_COLOR;
  return new LiveView({ plan, logs, skipped, clock: systemClock, terminal: process.stdout, isColoured });
}
