/**
 * Compares the strategies on a cluster: `make kube-compare`. Each is deployed in a namespace of its own, measured and deleted; by default
 * one after the other. Exits 1 if a strategy is not what it must be.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { messageOf } from "@grpc-lb/core";
import { type Flag, fileFlag, integerFlag, ProgramError, runProgram, switchFlag } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { requireBuilt } from "../image/built.ts";
import { imagePrefixFlag } from "../image/tag.ts";
import { imageFlags } from "./companion.ts";
import { candidates } from "./compare/candidates.ts";
import { steps } from "./compare/measure.ts";
import { failuresOf, jsonReport, legend, markdownReport, textReport } from "./compare/report.ts";
import { type Outcome, runStrategy } from "./compare/run-strategy.ts";
import { createKubectl, type Kubectl, namespaceFlag, stop } from "./kubectl.ts";
import { namespaceLabels } from "./objects.ts";

/** A list of some of the names, in their order. */
function namesFlag<T extends string>(help: string, names: readonly T[]): Flag<readonly T[]> {
  return {
    metavar: "names",
    help: `${help}: ${names.join(", ")}`,
    default: names,
    defaultText: "all",
    parse(text) {
      const wanted = text === "all" ? names : text.split(",").map((name) => name.trim());
      const unknown = wanted.find((name) => !names.some((known) => known === name));
      if (unknown !== undefined) throw new RangeError(`must be all, or names of ${names.join(", ")}, got "${unknown}"`);
      return names.filter((name) => wanted.includes(name));
    },
  };
}

const flags = {
  namespace: { ...namespaceFlag, help: "beginning of the namespaces' names", defaultText: "grpc-lb-compare-…" },
  strategies: namesFlag("which strategies to compare", candidates),
  steps: namesFlag("which parts to measure, besides the verdict", steps),
  parallel: integerFlag({ help: "how many strategies to measure at the same time", default: 1, min: 1 }),
  report: fileFlag({ help: "file for the report in Markdown" }),
  json: switchFlag({ help: "print JSON instead of a table" }),
  imagePrefix: imagePrefixFlag,
  ...imageFlags, // kube-deploy reads them from the environment; here a wrong one is an error before anything is deployed
};

const mistaken = { STRATEGY: "strategies" } as const;

void runProgram(
  { name: "kube-compare", summary: "Compares the strategies.", flags, mistaken },
  async ({ flags, signal }) => {
    const { strategies, steps, report, json } = flags;
    const prefix = flags.namespace || `grpc-lb-compare-${randomBytes(3).toString("hex")}`;
    checkNames(prefix, strategies);
    if (report !== "") checkWritable(report);
    if (!(await hasTools("kube-compare", signal))) return 1;
    requireBuilt(flags.imagePrefix);
    const cluster = await createKubectl("default", signal);
    const namespaces = await Namespaces.create(
      cluster,
      strategies.map((strategy) => `${prefix}-${strategy}`),
    );
    const startedMs = performance.now();
    const outcomes: Outcome[] = [];
    const queue = [...strategies.entries()];
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [at, strategy] = next;
        const say = (text: string) => {
          const seconds = ((performance.now() - startedMs) / 1000).toFixed(0).padStart(4);
          process.stderr.write(`${seconds} s  ${at + 1}/${strategies.length} ${strategy}: ${text}\n`);
        };
        const namespace = `${prefix}-${strategy}`;
        const outcome = await runStrategy(strategy, { namespace, steps, signal, say });
        outcomes[at] = outcome;
        say(describe(outcome));
        namespaces.startDeleting(namespace);
      }
    };
    const workers = Array.from({ length: flags.parallel }, () =>
      work().catch((error) => {
        queue.length = 0; // the others end with what they measure now
        throw error;
      }),
    );
    try {
      await Promise.all(workers).finally(() => Promise.allSettled(workers));
      await printResults(outcomes, { json, report, cluster });
      await namespaces.deleted();
    } finally {
      namespaces.deleteNow();
    }
    return failuresOf(outcomes).length === 0 ? 0 : 1;
  },
);

/** Prints the results. It is called before the namespaces are gone, so that a failed deletion does not lose them. */
async function printResults(
  outcomes: readonly Outcome[],
  { json, report, cluster }: { readonly json: boolean; readonly report: string; readonly cluster: Kubectl },
): Promise<void> {
  if (json) process.stdout.write(`${JSON.stringify(jsonReport(outcomes))}\n`);
  else for (const line of [...textReport(outcomes), "", ...legend]) process.stdout.write(`${line}\n`);
  if (report !== "") writeFileSync(report, markdownReport(outcomes, await describeCluster(cluster)));
  for (const outcome of outcomes) {
    if (outcome.t === "skipped") process.stderr.write(`${outcome.strategy} is skipped: ${outcome.reason}\n`);
  }
  for (const failure of failuresOf(outcomes)) process.stderr.write(`${failure}\n`);
}

/** Ends the program if a namespace's name would be too long. */
function checkNames(prefix: string, strategies: readonly string[]): void {
  const longest = Math.max(...strategies.map((strategy) => `${prefix}-${strategy}`.length));
  if (longest <= 63) return;
  const most = 63 - (longest - prefix.length);
  throw new ProgramError(
    `--namespace (NAMESPACE) can have at most ${most} characters, because each strategy's name follows it; got ${prefix.length}`,
    { exitCode: 2 },
  );
}

/** Ends the program if the file cannot be written. */
function checkWritable(file: string): void {
  try {
    closeSync(openSync(file, "a"));
  } catch (error) {
    throw new ProgramError(`--report (REPORT): cannot write ${file}: ${messageOf(error)}`, { exitCode: 2 });
  }
}

/** The namespaces of the strategies; what is left of them is deleted when the program ends, also after Ctrl-C. */
class Namespaces {
  readonly #cluster: Kubectl;
  readonly #left: Set<string>;
  readonly #deletions: Promise<void>[] = [];
  readonly #onExit = () => this.deleteNow();

  private constructor(cluster: Kubectl, names: readonly string[]) {
    this.#cluster = cluster;
    this.#left = new Set(names);
    process.on("exit", this.#onExit);
  }

  /** Ends the program if one of the names is in use. */
  static async create(cluster: Kubectl, names: readonly string[]): Promise<Namespaces> {
    for (const namespace of names) {
      const labels = await namespaceLabels({ ...cluster, namespace });
      if (labels === undefined)
        stop(`whether namespace ${namespace} exists cannot be read; try again, or as a user who may`);
      if (labels !== null)
        stop(`namespace ${namespace} exists, and kube-compare would delete it; choose another: NAMESPACE=…`);
    }
    return new Namespaces(cluster, names);
  }

  /** Deletes one while the program goes on. */
  startDeleting(namespace: string): void {
    const deletion = (async () => {
      const where = ["--namespace", namespace];
      // The deletion of a namespace with pods waits half of their grace period, even if they end much earlier.
      const pods = ["delete", "deployments,daemonsets", "--all", "--cascade=foreground", "--timeout=60s", ...where];
      await this.#cluster.try(pods, { doing: `${namespace} was deleted` });
      const args = ["delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s"];
      const { code, problem } = await this.#cluster.try(args, { doing: `${namespace} was deleted` });
      if (code !== 0) stop(`namespace ${namespace} is not gone: ${problem}`);
      this.#left.delete(namespace);
    })();
    deletion.catch(() => {}); // awaited by deleted()
    this.#deletions.push(deletion);
  }

  /** Resolves when all that were started are gone. */
  async deleted(): Promise<void> {
    await Promise.all(this.#deletions);
  }

  /** Requests the deletion of what is left, without a wait. */
  deleteNow(): void {
    process.off("exit", this.#onExit);
    if (this.#left.size === 0) return;
    const args = ["delete", "namespace", ...this.#left, "--ignore-not-found", "--wait=false"];
    spawnSync("kubectl", [...this.#cluster.where, ...args], { stdio: "ignore", timeout: 20_000 });
    this.#left.clear();
  }
}

/** An outcome in a few words. */
function describe(outcome: Outcome): string {
  if (outcome.t !== "measured") return `${outcome.t}: ${outcome.reason}`;
  return outcome.measurement.assessment.verdict?.word ?? "no verdict";
}

/** The context, with the version and the number of nodes if they can be read. */
async function describeCluster(cluster: Kubectl): Promise<string> {
  const { code, stdout } = await cluster.try(["get", "nodes", "-o", "json"]);
  const context = cluster.view["current-context"] ?? "the cluster";
  if (code !== 0) return context;
  const { items } = JSON.parse(stdout);
  const version = items[0]?.status?.nodeInfo?.kubeletVersion;
  return [context, version && `Kubernetes ${version}`, `${items.length} nodes`].filter(Boolean).join(", ");
}
