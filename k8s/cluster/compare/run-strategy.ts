import { join } from "node:path";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import { interrupted, runCommand } from "../../command.ts";
import { followClient } from "../follow-client.ts";
import { createKubectl, type Kubectl, stop } from "../kubectl.ts";
import { type Candidate, planOf } from "./candidates.ts";
import { Changes } from "./changes.ts";
import { ClientWatch } from "./client-watch.ts";
import { killServer } from "./kill-server.ts";
import { type Measurement, measure, type Scene, type StepName } from "./measure.ts";
import { whatIsMissing } from "./missing.ts";
import { PodWatch, watchPods } from "./pod-watch.ts";

/** The result of a strategy: what was measured, why it cannot run here, or why measuring failed. */
export type Outcome = { readonly strategy: Candidate } & (
  | { readonly t: "measured"; readonly measurement: Measurement }
  | { readonly t: "skipped"; readonly reason: string }
  | { readonly t: "failed"; readonly reason: string }
);

/** Options for the run of a strategy. */
export interface RunStrategyOptions {
  /** Does not exist yet, or has the strategy's server already. */
  readonly namespace: string;
  readonly steps: readonly StepName[];
  readonly signal: AbortSignal;
  /** Reports progress. */
  readonly say: (text: string) => void;
}

/** The client's pause between calls: short, so that few seconds have many calls. */
const interval = "50ms";

/** Deploys a strategy in a namespace of its own and measures it. The namespace is left to the caller. */
export async function runStrategy(strategy: Candidate, options: RunStrategyOptions): Promise<Outcome> {
  const { namespace, steps, signal } = options;
  const plan = planOf(strategy);
  const kubectl = await createKubectl(namespace, signal);
  if (strategy === "istio" && !(await hasIstio(kubectl)))
    return { strategy, t: "skipped", reason: "this cluster has no ready istiod" };

  try {
    const problem = await deploy(kubectl, strategy, plan, options);
    if (problem !== null) return { strategy, ...problem };
    const measurement = await observe(kubectl, options, (scene) =>
      measure(scene, plan, expectationOfStrategy(strategy), steps),
    );
    return { strategy, t: "measured", measurement };
  } catch (error) {
    if (signal.aborted) throw interrupted(signal, `${strategy} was measured`);
    if (!(error instanceof Error)) throw error;
    return { strategy, t: "failed", reason: error.message };
  }
}

/** Deploys a strategy and waits for its client; returns why that did not succeed. */
async function deploy(
  kubectl: Kubectl,
  strategy: Candidate,
  plan: ReturnType<typeof planOf>,
  { namespace, signal, say }: RunStrategyOptions,
): Promise<{ readonly t: "skipped" | "failed"; readonly reason: string } | null> {
  say("deploying");
  const deployed = await runTool(
    "deploy.ts",
    [],
    { NAMESPACE: namespace, STRATEGY: plan.manifests, POLICY: "" },
    signal,
  );
  if (deployed.code !== 0) {
    const problem = lastLine(deployed.stderr).replace(/^kube-deploy: /, "");
    const missing = whatIsMissing(problem);
    return missing === null ? { t: "failed", reason: problem } : { t: "skipped", reason: missing };
  }
  const doing = `${strategy} was deployed`;
  await kubectl.run(["set", "env", "deployment/client-grpc", `INTERVAL=${interval}`], { doing });
  if (strategy === "istio") {
    say("injecting sidecars");
    const injected = await runTool("istio.ts", ["inject"], { NAMESPACE: namespace }, signal);
    if (injected.code !== 0) return { t: "failed", reason: lastLine(injected.stderr) };
  } else {
    await kubectl.run(["rollout", "status", "deployment/client-grpc", "--timeout=120s"], { doing });
  }
  return null;
}

/** Follows client and pods while `use` runs. */
async function observe<T>(
  kubectl: Kubectl,
  { say, signal }: RunStrategyOptions,
  use: (scene: Scene) => Promise<T>,
): Promise<T> {
  const changes = new Changes();
  const [client, pods] = [new ClientWatch(changes), new PodWatch(changes)];
  const done = new AbortController();
  const ends = AbortSignal.any([done.signal, signal]);
  const following = followClient(kubectl, "client-grpc", {
    lines: 0,
    give: (line) => client.add(line),
    warn: (text) => text !== "" && say(text),
    signal: ends,
  });
  const watching = watchPods(kubectl, pods, ends);
  const scale = (replicas: number) =>
    kubectl.run(["scale", "deployment/server", `--replicas=${replicas}`], { doing: "the server was scaled" });
  const scene: Scene = {
    client,
    pods,
    changes,
    signal: ends,
    say,
    async scale(replicas) {
      await scale(replicas);
    },
    kill: (pod) => killServer(kubectl, pod),
    async restart(replicas) {
      await scale(replicas);
      await kubectl.run(["rollout", "restart", "deployment/server"], { doing: "the server was restarted" });
    },
  };
  const broken = Promise.all([following, watching]).then(() => new Promise<never>(() => {}));
  try {
    return await Promise.race([use(scene), broken]);
  } finally {
    done.abort();
    await Promise.allSettled([following, watching]);
  }
}

/** Whether the cluster has an istiod that is ready; without the right to see it, injecting shows it. */
async function hasIstio(kubectl: Kubectl): Promise<boolean> {
  const { code, stdout } = await kubectl.try([
    "get",
    "deployments",
    "--all-namespaces",
    "-l",
    "app=istiod",
    "-o",
    "json",
  ]);
  if (code !== 0) return true;
  type Deployments = { readonly items: readonly { readonly status?: { readonly readyReplicas?: number } }[] };
  return (JSON.parse(stdout) as Deployments).items.some(({ status }) => (status?.readyReplicas ?? 0) > 0);
}

/** Runs a program behind a target of the Makefile, as make does. */
async function runTool(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  interruption: AbortSignal,
) {
  const result = await runCommand(process.execPath, [join(import.meta.dirname, "..", file), ...args], {
    env,
    interruption,
    doing: `${env.NAMESPACE} was deployed`,
  });
  if (result.code === 2) stop(lastLine(result.stderr));
  return result;
}

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? "";
