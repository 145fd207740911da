import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CallerProcess, startCaller } from "./caller-process.ts";
import { readStat, sumUsage, type Usage } from "./usage.ts";
import { nothing, type Way } from "./way.ts";

const root = join(import.meta.dirname, "../../../..");
// Names that nobody else has: they are deleted in the end.
const prefix = `grpc-lb-cost-${randomBytes(3).toString("hex")}`;
const namespaces = { pods: `${prefix}-pods`, istio: `${prefix}-istio` } as const;
const commandMs = 300_000;
const options = { cwd: root, timeout: commandMs, maxBuffer: 64 * 2 ** 20 };
const runFile = promisify(execFile);

/** @throws Error with the command and the last line that it wrote to stderr */
async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await runFile(command, args, options)).stdout;
  } catch (cause) {
    const { stderr = "", message } = cause as Error & { stderr?: string };
    const why = stderr
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("make: ***"));
    throw new Error(`${[command, ...args.slice(0, 2)].join(" ")}: ${why.at(-1) ?? message}`, { cause });
  }
}

const kubectl = (...args: string[]) => run("kubectl", args);
const make = (target: string, namespace: string, ...variables: string[]) =>
  run("make", [target, `NAMESPACE=${namespace}`, ...variables]);

/** Why pods with Istio's sidecars cannot be measured; undefined when they can. */
export async function whyNoMesh(): Promise<string | undefined> {
  try {
    await kubectl("get", "deployment", "-n", "istio-system", "istiod", "--request-timeout=10s");
    return undefined;
  } catch {
    return "the current context has no cluster with istiod";
  }
}

/**
 * Deploys the demo into two namespaces of the current context's cluster, one with sidecars: the direct way between pods, and the
 * meshed one. The images are those of the last `make docker-build`. The signal ends the callers.
 */
export async function startMeshWays(signal: AbortSignal): Promise<Way[]> {
  for (const namespace of Object.values(namespaces)) await kubectl("create", "namespace", namespace);
  await Promise.all([
    deploy(namespaces.pods, "headless-dns"),
    deploy(namespaces.istio, "clusterip").then(() => make("istio-inject", namespaces.istio)),
  ]);
  const script = await bundleCaller();
  const direct = await startCallerIn(
    namespaces.pods,
    script,
    ["dns:///server-headless:30051", "least_request"],
    signal,
  );
  const meshed = await startCallerIn(namespaces.istio, script, ["dns:///server:30051", "pick_first"], signal);
  const pods = await podsWithSidecars();
  return [
    { name: "pods", reference: "pods", caller: direct, usage: async () => nothing },
    { name: "istio", reference: "pods", caller: meshed, usage: () => usageOfSidecars(pods) },
  ];
}

/** Deletes what `startMeshWays` created. */
export async function deleteMesh(): Promise<void> {
  await kubectl("delete", "namespace", ...Object.values(namespaces), "--ignore-not-found");
}

async function deploy(namespace: string, strategy: string): Promise<void> {
  await make("kube-deploy", namespace, `STRATEGY=${strategy}`);
  // The client's own calls would disturb, and the caller beside it needs more memory than the client.
  await kubectl("set", "env", "-n", namespace, "deployment/client-grpc", "INTERVAL=1h");
  await kubectl(
    "set",
    "resources",
    "-n",
    namespace,
    "deployment/client-grpc",
    "-c=client-grpc",
    "--limits=memory=768Mi",
  );
  await kubectl("scale", "-n", namespace, "deployment/client-http", "--replicas=0");
  await kubectl("rollout", "status", "-n", namespace, "deployment/client-grpc", `--timeout=${commandMs / 1_000}s`);
}

function bundleCaller(): Promise<string> {
  const args = ["--bundle", "--platform=node", "--format=cjs"];
  return run(join(root, "node_modules/.bin/esbuild"), [join(import.meta.dirname, "caller.ts"), ...args]);
}

/** Runs the first line of its input, a script as JSON; the script reads the lines after it. */
const loader = `process.argv.splice(1, 0, "caller"); // where a script has its path
let text = "";
process.stdin.setEncoding("utf8").on("data", function take(piece) {
  text += piece;
  const end = text.indexOf("\\n");
  if (end < 0) return;
  process.stdin.off("data", take).pause();
  new Function("require", "module", "exports", JSON.parse(text.slice(0, end)))(require, module, exports);
});`;

function startCallerIn(
  namespace: string,
  script: string,
  [target, policy]: readonly [string, string],
  signal: AbortSignal,
): Promise<CallerProcess> {
  const config = JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] });
  const client = ["exec", "-i", "-n", namespace, "deployment/client-grpc", "-c", "client-grpc", "--"];
  return startCaller(
    "kubectl",
    [...client, "node", "-e", loader, target, config],
    signal,
    `${JSON.stringify(script)}\n`,
  );
}

/** What the sidecars have used: Envoy and Istio's agent, all processes of their containers. */
async function usageOfSidecars(pods: readonly string[]): Promise<Usage> {
  const stats = await Promise.all(
    pods.map((pod) =>
      kubectl("exec", "-n", namespaces.istio, pod, "-c", "istio-proxy", "--", "sh", "-c", "cat /proc/[0-9]*/stat"),
    ),
  );
  return sumUsage(stats.join("").trim().split("\n").map(readStat));
}

/** The names of the pods with sidecars, of server and client. */
async function podsWithSidecars(): Promise<string[]> {
  const { items } = JSON.parse(await kubectl("get", "pods", "-n", namespaces.istio, "-o=json")) as PodList;
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined && /^(server|client-grpc)-/.test(metadata.name))
    .map(({ metadata }) => metadata.name);
}

/** Of a list of pods, what is read. */
interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly deletionTimestamp?: string } }[];
}
