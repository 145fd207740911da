import { systemClock } from "@grpc-lb/core";
import { durationFlag, type Flag, integerFlag, ProgramError, runProgram, switchFlag } from "@grpc-lb/program";
import { podPolicyNames } from "../demo/expectations.ts";
import { type PoliciesPlan, parsePolicies, validatePlan } from "./plan.ts";
import { runPolicies } from "./run-comparison.ts";
import { PoliciesView } from "./view.ts";

const policiesFlag: Flag<readonly string[]> = {
  metavar: "names",
  help: `which policies, with commas between them: ${podPolicyNames.join(", ")}`,
  default: [],
  defaultText: "all",
  parse: (text) => parsePolicies(text, podPolicyNames),
};

const flags = {
  policies: policiesFlag,
  outlierDetection: switchFlag({ help: "put grpc-js's outlier_detection over each policy" }),
  rate: integerFlag({ help: "calls a second", default: 500, min: 1, max: 5_000 }),
  duration: durationFlag({ help: "how long the calls of a policy count", default: 3_000, minMs: 1 }),
  warmUp: durationFlag({ help: "how long it is called before that", default: 1_500 }),
  deadline: durationFlag({ help: "after which a call is given up", default: 300, minMs: 1 }),
  seed: integerFlag({ help: "seed of all that is random", default: 2, min: 0 }),
  json: switchFlag({ help: "print the result as one JSON object, and nothing else, on stdout" }),
};

const summary = "Compares balancing policies on six servers, of which one is slow, one fails and one is frozen.";

void runProgram({ name: "policies", summary, flags }, async ({ flags, signal }) => {
  // The terminal is gone, or Ctrl-\ wants the end at once: what waits for `exit` ends the processes.
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
    await runPolicies({ plan, watcher: view, clock: systemClock, signal });
    view.showEnd();
    return 0;
  } catch (error) {
    if (signal.reason === "EPIPE") return 0; // nobody reads any more
    throw error;
  } finally {
    view.close();
  }
});

/** All, but for the one that cannot be under outlier_detection. */
function defaultPolicies(hasOutlierDetection: boolean): readonly string[] {
  const names = [...podPolicyNames].sort((a, b) => Number(b === "pick_first") - Number(a === "pick_first"));
  return hasOutlierDetection ? names.filter((name) => name !== "pick_first") : names;
}

function readPlan(plan: PoliciesPlan): PoliciesPlan {
  try {
    return validatePlan(plan);
  } catch (cause) {
    throw new ProgramError((cause as Error).message, { cause, exitCode: 2 });
  }
}
