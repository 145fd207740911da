import { choiceFlag, durationFlag, type Flag, ProgramError, runProgram, switchFlag } from "@grpc-lb/program";
import { chooseStrategies, describeSkipped, skipUnavailable } from "./choose-strategies.ts";
import { compare } from "./compare.ts";
import { validatePlan } from "./plan.ts";
import { asUsageError, runFlags } from "./run-flags.ts";
import { playScene, requireTerminal } from "./scenes/play-scene.ts";
import { sceneNames } from "./scenes/scene.ts";
import { createScenePlan } from "./scenes/scene-plan.ts";
import { sceneNamed } from "./scenes/scenes.ts";
import { createStrategies } from "./strategies.ts";

/** A duration whose default depends on the scene. */
function sceneDurationFlag(help: string, defaultText: string, minMs = 0): Flag<number | undefined> {
  return { ...durationFlag({ help, default: 0, minMs }), default: undefined, defaultText };
}

const flags = {
  scene: choiceFlag({
    metavar: "name",
    help: "what happens to the pods while the clients call; in compare nothing does",
    default: "compare",
    choices: ["compare", ...sceneNames],
  }),
  duration: sceneDurationFlag("how long the clients call; in a scene, how long after it", "6s; in a scene 4s"),
  settle: durationFlag({
    help: "pause between the end of a scene and the calls that are judged",
    default: 2_000,
    minMs: 600, // longer than a call may wait for its timeout
  }),
  interval: sceneDurationFlag("pause between two calls of a client", "120ms; in a scene 50ms", 1),
  ...runFlags,
  json: switchFlag({ help: "print the result as one JSON object on stdout, and nothing else there" }),
};

const summary = "Shows how gRPC calls behind a Kubernetes Service all reach one pod, and the cures, without a cluster.";

void runProgram({ name: "lab", summary, flags, mistaken: { STRATEGY: "strategies" } }, async ({ flags, signal }) => {
  // Exit at once when the terminal is gone, or on Ctrl-\. The exit listeners end the processes and show the cursor.
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGQUIT", () => process.exit(131));
  const { scene, duration, interval, settle: settleMs, servers, seed, json: isJson } = flags;
  const play = asUsageError(() => {
    if (scene === "compare") {
      const plan = validatePlan({ durationMs: duration ?? 6_000, intervalMs: interval ?? 120, servers, seed });
      return (options: Chosen) => compare({ ...options, plan, isJson, signal });
    }
    requireTerminal({ name: scene }, isJson);
    const plan = createScenePlan(scene, { afterMs: duration, intervalMs: interval, settleMs, servers, seed });
    return (options: Chosen) => playScene({ ...options, scene: sceneNamed(scene), plan, isJson, signal });
  });
  const chosen = asUsageError(() => chooseStrategies(createStrategies(flags.policy), flags.strategies));
  const { strategies, skipped } = await skipUnavailable(chosen);
  if (strategies.length === 0) throw new ProgramError(`nothing to show: ${describeSkipped(skipped)}`, { exitCode: 1 });
  try {
    const failures = await play({ strategies, skipped });
    if (failures) throw new ProgramError(failures, { exitCode: 1 });
    return 0;
  } catch (error) {
    if (signal.reason === "EPIPE") return 0; // the reader of the output has exited
    throw error;
  }
});

type Chosen = Awaited<ReturnType<typeof skipUnavailable>>;
