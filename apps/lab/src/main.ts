import { systemClock } from "@grpc-lb/runtime";
import { choiceFlag, durationFlag, integerFlag, ProgramError, runProgram, switchFlag } from "@grpc-lb/runtime/process";
import { ClientLog } from "./client-log.ts";
import { JsonView } from "./json-view.ts";
import { LiveView } from "./live-view.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { PlainView } from "./plain-view.ts";
import { type Plan, podNames, validatePlan, warmUpCalls } from "./plan.ts";
import { podPolicy, podPolicyNames } from "./pod-policy.ts";
import { runLab } from "./run-lab.ts";
import { createStrategies } from "./strategies.ts";

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
  const strategies = createStrategies(podPolicy(flags.policy));
  const logs = strategies.map((strategy) => new ClientLog(strategy, podNames(plan), warmUpCalls(plan)));
  const view = createView(plan, logs, flags.json);
  try {
    await runLab({ plan, logs, watcher: view, clock: systemClock, signal });
    const outcomes = logs.map((log) => judgeClient(log, plan));
    view.showResult({ pods: podNames(plan), outcomes, warmUpCalls: warmUpCalls(plan) });
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
  try {
    const { duration: durationMs, interval: intervalMs, servers, seed } = values;
    return validatePlan({ durationMs, intervalMs, servers, seed });
  } catch (cause) {
    throw new ProgramError((cause as Error).message, { cause, exitCode: 2 });
  }
}

function createView(plan: Plan, logs: readonly ClientLog[], isJson: boolean): JsonView | LiveView | PlainView {
  const writeOut = (text: string) => void process.stdout.write(text);
  if (isJson) return new JsonView(plan, { writeOut, writeErr: (text) => void process.stderr.write(text) });
  if (!process.stdout.isTTY || process.env.TERM === "dumb")
    return new PlainView(
      logs.map(({ strategy }) => strategy),
      writeOut,
    );
  const isColoured = !process.env.NO_COLOR;
  return new LiveView({ plan, logs, clock: systemClock, terminal: process.stdout, isColoured });
}
