/**
 * Judges how the calls of the deployed clients are balanced, from their logs: `make kube-verdict`. Exits 1 if a client's verdict is not
 * what its strategy and policy must give.
 */
import { systemClock } from "@grpc-lb/core";
import { integerFlag, runProgram, switchFlag } from "@grpc-lb/program";
import { type Expectation, expectationOfStrategy } from "@grpc-lb/verdict";
import { hasTools } from "../has-tools.ts";
import { type Assessment, assess, describeReach, describeShares } from "./assess.ts";
import { lastCalls } from "./call-window.ts";
import { findClientPods } from "./client-pod.ts";
import { expectationOf, readDeployed } from "./deployed.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { listReadyServers } from "./server-pods.ts";
import { alignTable, type Column } from "./table.ts";

/** With fewer calls even fair chance can miss a pod. */
const minCalls = 30;
const waitLimitMs = 90_000;
const pollMs = 1_000;

const flags = {
  namespace: namespaceFlag,
  calls: integerFlag({ help: "how many of a client's last calls to judge", default: 300, min: minCalls }),
  json: switchFlag({ help: "print JSON instead of a table" }),
};

const columns: readonly Column[] = [
  { title: "client", align: "left" },
  { title: "strategy", align: "left" },
  { title: "calls", align: "right" },
  { title: "failed", align: "right" },
  { title: "pods", align: "left" },
  { title: "shares", align: "left" },
  { title: "verdict", align: "left" },
  { title: "must be", align: "left" },
];

void runProgram({ name: "kube-verdict", summary: "Judges the clients' calls.", flags }, async ({ flags, signal }) => {
  if (!(await hasTools("kube-verdict", signal))) return 1;
  const kubectl = await createKubectl(flags.namespace, signal);
  await requireRights(kubectl, ["get deployments.apps", "list pods", "get pods --subresource=log"]);
  const deployed = await readDeployed(kubectl);
  const clients = [
    { client: "client-http", strategy: "http", policy: "", expectation: expectationOfStrategy("http") },
    { client: "client-grpc", ...deployed, expectation: expectationOf(deployed) },
  ];
  const results = await Promise.all(
    clients.map(async (client) => {
      const pods = await judgeClient(kubectl, client, flags.calls, signal);
      return pods.map((each) => ({ ...client, name: pods.length > 1 ? each.pod : client.client, ...each }));
    }),
  );
  const judged = results.flat();

  if (flags.json) process.stdout.write(`${JSON.stringify({ clients: judged.map(toJson) })}\n`);
  else {
    const rows = judged.map(({ name, strategy, policy, verdict, failedCalls, expectation }) => [
      name,
      policy === "" ? strategy : `${strategy} ${policy}`,
      String(verdict?.calls ?? 0),
      String(failedCalls),
      verdict ? describeReach(verdict) : "-",
      verdict ? describeShares(verdict) : "-",
      verdict?.word ?? "-",
      expectation.expected.join(" or "),
    ]);
    for (const line of alignTable(columns, rows)) process.stdout.write(`${line}\n`);
  }
  const failed = judged.filter(({ failure }) => failure !== null);
  for (const { name, failure, expectation } of failed)
    process.stderr.write(`${name}: ${failure}. ${expectation.why}\n`);
  return failed.length === 0 ? 0 : 1;
});

/** What a pod of a client did. */
interface JudgedPod extends Assessment {
  readonly pod: string;
}

/**
 * Judges a client's last calls, each of its pods for itself, because each has its own connections. Waits until there are enough since
 * the last change of the pods.
 */
async function judgeClient(
  kubectl: Kubectl,
  { client, expectation }: { readonly client: string; readonly expectation: Expectation },
  limit: number,
  signal: AbortSignal,
): Promise<readonly JudgedPod[]> {
  const giveUpAt = systemClock.now() + waitLimitMs;
  for (let isFirst = true; ; isFirst = false) {
    const servers = await listReadyServers(kubectl);
    if (servers.length < 2) stop(`a verdict needs at least 2 ready servers, ${servers.length} are ready`);
    const pods = await findClientPods(kubectl, client);
    const windows = await Promise.all(
      pods.map(async ({ name: pod }) => {
        const { code, stdout, problem } = await kubectl.try(["logs", pod, "-c", client, "--timestamps"]);
        if (code !== 0 && !problem.includes("NotFound")) stop(`kubectl logs ${pod}: ${problem}`);
        const window = lastCalls(code === 0 ? stdout : "", servers, limit); // a pod that has gone meanwhile has no log
        return { pod, window, seen: window.calls.length + window.errors.length };
      }),
    );
    const [least = { pod: client, seen: 0 }] = windows.toSorted((a, b) => a.seen - b.seen);
    const name = pods.length > 1 ? least.pod : client;
    if (least.seen >= minCalls) {
      const names = servers.map((server) => server.name);
      return windows.map(({ pod, window }) => ({ pod, ...assess(window, names, expectation) }));
    }
    if (systemClock.now() > giveUpAt)
      stop(`${name} has made ${least.seen} calls to the pods of now, and ${minCalls} are needed`);
    if (isFirst)
      process.stderr.write(`${name}: ${least.seen} calls since the last change of the pods; waiting for ${minCalls}\n`);
    await systemClock.sleep(pollMs, signal);
  }
}

/** A client's line of the JSON output. */
function toJson(
  judged: JudgedPod & {
    readonly client: string;
    readonly strategy: string;
    readonly policy: string;
    readonly expectation: Expectation;
  },
) {
  const { client, pod, strategy, policy, verdict, failedCalls, failure, expectation } = judged;
  const counts = verdict ? [...verdict.perPod.values()] : [];
  return {
    client,
    pod,
    strategy,
    policy: policy || null,
    verdict: verdict?.word ?? null,
    expected: expectation.expected,
    failure,
    calls: verdict?.calls ?? 0,
    failedCalls,
    pods: counts.length,
    podsReached: counts.filter((count) => count > 0).length,
    callsPerPod: verdict ? Object.fromEntries(verdict.perPod) : {},
  };
}
