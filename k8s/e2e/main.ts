/**
 * Runs the end-to-end tests on the cluster of the current context: `make e2e`, or some of them, `make e2e STORIES=suite,resolver`.
 * The images are built once. Stories that do not disturb each other run at the same time, each in namespaces of its own. Long stories
 * run only when they are named, as `make e2e-long` does.
 */
import { AssertionError } from "node:assert";
import { type Flag, runProgram, startChild } from "@grpc-lb/program";
import { stop } from "../command.ts";
import { hasTools } from "../has-tools.ts";
import { root } from "../image/tag.ts";
import { provideImages } from "./images.ts";

const perFile = ["--test-concurrency=3"];
const oneByOne = ["--test-concurrency=1"];
const inOneProcess = ["--test-isolation=none"];

/**
 * The phases follow each other; the stories of a phase run at the same time. `policies` is alone because it measures shares that
 * depend on latency, `autoscale` and `lookaside` because they measure latencies under load. The others are apart because two nodes with
 * two processors each have room for about 40 pods, and `outages` comes last because it stops istiod and the API server.
 */
const phases = [
  ["policies"],
  ["compare", "istio-registry", "resolver"],
  ["compare-all"],
  ["monitoring", "identity", "backup", "tracing"],
  ["autoscale"],
  ["lookaside"],
  ["suite", "registries", "tutorial", "discovery", "live", "deploy", "components"],
  ["outages", "xds"],
] as const;
type Story = (typeof phases)[number][number];

const files: Readonly<Record<Story, readonly string[]>> = {
  suite: [...inOneProcess, "k8s/e2e/suite.e2e.ts"],
  deploy: [...inOneProcess, "k8s/e2e/deploy.e2e.ts"],
  policies: [...inOneProcess, "k8s/e2e/policies.e2e.ts"],
  compare: [...inOneProcess, "k8s/e2e/compare.e2e.ts"],
  "istio-registry": [...inOneProcess, "k8s/e2e/istio-registry.e2e.ts"],
  "compare-all": [...inOneProcess, "k8s/e2e/compare-all.e2e.ts"],
  registries: [...inOneProcess, "k8s/e2e/registries.e2e.ts"],
  resolver: [...inOneProcess, "k8s/e2e/resolver.e2e.ts"],
  outages: [...inOneProcess, "k8s/e2e/outages.e2e.ts"],
  tutorial: [...inOneProcess, "k8s/e2e/tutorial.e2e.ts"],
  components: [...inOneProcess, "k8s/e2e/components.e2e.ts"],
  monitoring: [...inOneProcess, "k8s/e2e/monitoring.e2e.ts"],
  backup: [...inOneProcess, "k8s/e2e/backup.e2e.ts"],
  tracing: [...inOneProcess, "k8s/e2e/tracing.e2e.ts"],
  identity: [...inOneProcess, "k8s/e2e/identity.e2e.ts"],
  autoscale: [...inOneProcess, "k8s/e2e/autoscale.e2e.ts"],
  lookaside: [...oneByOne, "k8s/e2e/lookaside*.e2e.ts"],
  live: [...inOneProcess, "k8s/e2e/live.e2e.ts"],
  discovery: [...perFile, "libs/discovery/e2e/*.e2e.ts"],
  xds: ["libs/xds/e2e/*.e2e.ts", "apps/control-plane/e2e/*.e2e.ts"],
};
const names = Object.keys(files) as Story[];
const long: readonly Story[] = [
  "compare-all",
  "components",
  "monitoring",
  "identity",
  "backup",
  "tracing",
  "autoscale",
  "lookaside",
  "xds",
];

/** Of each story, at the end of a run. */
const maxFailureLines = 40;

const stories: Flag<readonly Story[]> = {
  metavar: "names",
  help: `which stories to run: ${names.join(", ")}`,
  default: names.filter((name) => !long.includes(name)),
  defaultText: `all but ${long.join(", ")}`,
  parse(text) {
    const wanted = text.split(",");
    const unknown = wanted.find((name) => !names.some((known) => known === name));
    if (unknown !== undefined) throw new RangeError(`must be a list of ${names.join(", ")}, got "${unknown}"`);
    return names.filter((name) => wanted.includes(name));
  },
};

void runProgram(
  { name: "e2e", summary: "Runs the end-to-end tests.", flags: { stories } },
  async ({ flags, signal }) => {
    if (!(await hasTools("e2e", signal))) return 1;
    await provideImages().catch((error: unknown) => {
      if (error instanceof AssertionError)
        stop("the images are not where the cluster finds them; the lines above say why");
      throw error;
    });
    const sum = { passed: 0, failed: 0, skipped: 0 };
    const failures: string[] = [];
    for (const phase of phases) {
      const wanted = phase.filter((story) => flags.stories.includes(story) && !signal.aborted);
      for (const counts of await Promise.all(wanted.map((story) => runStory(story, signal)))) {
        for (const key of ["passed", "failed", "skipped"] as const) sum[key] += counts[key];
        failures.push(...counts.failures);
      }
    }
    for (const line of failures) process.stdout.write(`${line}\n`);
    if (sum.skipped > 0) process.stdout.write(`${sum.skipped} skipped, with their reasons above\n`);
    process.stdout.write(`${sum.passed} passed, ${sum.failed} failed\n`);
    return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
  },
);

/**
 * Runs a story in a process of its own, each line of its output after its name. Returns its counts, and the first lines of the report of
 * its failed steps, which stand at the end of a run, where they are looked for.
 */
async function runStory(story: Story, signal: AbortSignal) {
  const startedMs = performance.now();
  const totals: Record<string, number> = {};
  const failures: string[] = [];
  let reportsFailures = false;
  const onLine = (text: string) => {
    const [, name, count] = /^ℹ (pass|fail|cancelled|skipped) (\d+)$/.exec(text) ?? [];
    if (name !== undefined) totals[name] = Number(count);
    if (text.startsWith("ℹ ")) return;
    const line = `${story.padEnd(11)} ${text}`;
    process.stdout.write(`${line}\n`);
    reportsFailures ||= text === "✖ failing tests:";
    if (reportsFailures && failures.length < maxFailureLines) failures.push(line);
  };
  const child = startChild({
    command: process.execPath,
    args: ["--test", "--test-reporter=spec", ...files[story]],
    cwd: root,
    env: { ...(process.env as Record<string, string>), GRPC_LB_E2E_IMAGES: "built" },
    onStdout: onLine,
    onStderr: onLine,
  });
  const interrupt = () => child.kill("SIGINT");
  signal.addEventListener("abort", interrupt);
  const { code } = await child.exited;
  signal.removeEventListener("abort", interrupt);
  const { pass = 0, fail = 0, cancelled = 0, skipped = 0 } = totals;
  const failed = code === 0 ? 0 : Math.max(1, fail + cancelled);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  process.stdout.write(`${story.padEnd(11)} ${pass} passed, ${failed} failed, ${skipped} skipped in ${seconds} s\n`);
  return { passed: pass, failed, skipped, failures };
}
