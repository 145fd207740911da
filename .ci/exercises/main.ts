/**
 * Runs the exercises of the workshop and compares their outputs with what the pages show: `make docs-test`.
 *
 *     node .ci/exercises/main.ts [--track no-cluster|cluster|all] [--exercise 01,03-kill] [--show]
 *
 * The exit code is 1 if an output differs or anything is left, and 2 for a wrong flag.
 */
import { parseArgs } from "node:util";
import { root } from "../test-counts.ts";
import { WorkshopCluster } from "./cluster.ts";
import { type Exercise, listExercises, type Track, tracks } from "./exercise.ts";
import { Session } from "./session.ts";

const { track, chosen, isShowing } = parseFlags();
const exercises = listExercises(root).filter(
  (exercise) =>
    (track === "all" || exercise.track === track) &&
    (chosen.length === 0 || chosen.some((begin) => exercise.name.startsWith(begin))),
);
if (exercises.length === 0) fail(`no exercise of the track ${track} begins with ${chosen.join(" or ")}`, 2);

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort());

const failures: string[] = [];
let [passed, skipped] = [0, 0];
const startedMs = performance.now();
const cluster = exercises.some((exercise) => exercise.track === "cluster") ? openCluster() : undefined;
try {
  for (const exercise of exercises) if (!interruption.signal.aborted) await runExercise(exercise);
} finally {
  for (const what of cluster?.close() ?? []) failures.push(`${what} was left`);
}
for (const failure of failures) say(`failed: ${failure}`);
say(`${passed} passed, ${failures.length} failed, ${skipped} skipped in ${secondsSince(startedMs)} s`);
if (interruption.signal.aborted) process.exitCode = 130;
else if (failures.length > 0) process.exitCode = 1;

async function runExercise({ page, name, needs, steps }: Exercise): Promise<void> {
  const lacking = whatIsLacking(needs);
  if (typeof lacking === "string") {
    failures.push(`${page}: ${lacking}`);
    return say(`FAILED ${name}: ${lacking}`);
  }
  if (lacking.length > 0) {
    skipped += 1;
    return say(`skipped ${name}: the cluster has no ${lacking.join(" and no ")}`);
  }
  const sinceMs = performance.now();
  const env = { ...process.env, NO_COLOR: "1", ...cluster?.env };
  const session = new Session({ folder: root, env, signal: interruption.signal });
  const before = failures.length;
  for (const step of steps) {
    const { output, failure } = await session.run(step);
    if (isShowing || failure !== undefined) say(`$ ${step.command}\n${output.trimEnd()}`);
    if (failure === undefined) continue;
    failures.push(`${page}:${step.line}: ${failure}`);
    if (cluster) say(cluster.describe());
    break;
  }
  for (const command of await session.end()) failures.push(`${page}: a process was left: ${command}`);
  const isPassed = failures.length === before;
  if (isPassed) passed += 1;
  say(`${isPassed ? "passed" : "FAILED"} ${name} in ${secondsSince(sinceMs)} s`);
}

/** What of `needs` there is not; why that is not known, when the cluster does not answer any more. */
function whatIsLacking(needs: readonly string[]): readonly string[] | string {
  try {
    return cluster?.lacks(needs) ?? [];
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function openCluster(): WorkshopCluster {
  try {
    return new WorkshopCluster();
  } catch (error) {
    fail(`no cluster answers: ${error instanceof Error ? error.message : error}`, 1);
  }
}

function parseFlags(): { track: Track | "all"; chosen: string[]; isShowing: boolean } {
  try {
    const options = {
      track: { type: "string", default: process.env.TRACK || "no-cluster" },
      exercise: { type: "string", default: process.env.EXERCISE || "" },
      show: { type: "boolean", default: false },
    } as const;
    const { track, exercise, show } = parseArgs({ options }).values;
    const known = [...tracks, "all"] as const;
    const found = known.find((each) => each === track);
    if (!found) throw new Error(`--track must be ${known.join(", ")}, got ${track}`);
    return { track: found, chosen: exercise.split(",").filter((part) => part !== ""), isShowing: show };
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), 2);
  }
}

function secondsSince(startMs: number): string {
  return ((performance.now() - startMs) / 1_000).toFixed(1);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(message: string, code: number): never {
  process.stderr.write(`docs-test: ${message}\n`);
  process.exit(code);
}
