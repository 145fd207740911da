import { messageOf, systemClock } from "@grpc-lb/core";
import { durationFlag, type Flag, integerFlag, ProgramError, runProgram, switchFlag } from "@grpc-lb/program";
import { comparedPolicies, type PoliciesPlan, parsePolicies, validatePlan } from "./plan.ts";
import { runComparison } from "./run-comparison.ts";
import { PoliciesView } from "./view.ts";

const policiesFlag: Flag<readonly string[]> = {
  metavar: "names",
  help: `policies to compare, separated by commas: ${comparedPolicies.join(", ")}`,
  default: [],
  defaultText: "all",
  parse: (text) => parsePolicies(text, comparedPolicies),
};

const flags = {
  policies: policiesFlag,
  outlierDetection: switchFlag({ help: "make each policy the child of grpc-js's outlier_detection" }),
  rate: integerFlag({ help: "calls a second, on average", default: 500, min: 1, max: 5_000 }),
  duration: durationFlag({ help: "how long the calls of a policy count, after the warm-up", default: 3_000, minMs: 1 }),
  warmUp: durationFlag({ help: "how long to call before calls count", default: 1_500 }),
  deadline: durationFlag({ help: "deadline of a call", default: 300, minMs: 1 }),
  seed: integerFlag({ help: "seed of everything random", default: 2, min: 0 }),
  json: switchFlag({ help: "print the result as one JSON object on stdout, and nothing else there" }),
};

const summary = "Compares balancing policies on six servers, of which one is slow, one fails and one is frozen.";

void runProgram({ name: "policies", summary, flags }, async ({ flags, signal }) => {
  // Exit at once when the terminal is gone, or on Ctrl-\. The exit listeners end the processes.
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGQUIT", () => process.exit(131));
  const plan = readPlan({
    policies: flags.policies.length > 0 ? flags.policies : defaultPolicies(flags.outlierDetection),
    rateHz: flags.rate,
    durationMs: flags.duration,
    warmUpMs: flags.warmUp,
    deadlineMs: flags.deadline,
    seed: flags.seed,
    hasOutlierDetection: flags.outlierDetection,
  });
  const { stdout: out, stderr: err } = process;
  const isColoured = out.isTTY && process.env.TERM !== "dumb" && !process.env.NO_COLOR;
  const view = new PoliciesView({ plan, isJson: flags.json, isColoured, out, err });
  try {
    await runComparison({ plan, observer: view, clock: systemClock, signal });
    view.showEnd();
    return 0;
  } catch (error) {
    if (signal.reason === "EPIPE") return 0; // the reader of the output has exited
    throw error;
  } finally {
    view.close();
  }
});

/** grpc-js does not allow pick_first below outlier_detection. */
function defaultPolicies(hasOutlierDetection: boolean): readonly string[] {
  return hasOutlierDetection ? comparedPolicies.filter((name) => name !== "pick_first") : comparedPolicies;
}

function readPlan(plan: PoliciesPlan): PoliciesPlan {
  try {
    return validatePlan(plan);
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
}
