/**
 * Judges how the calls of the deployed clients are balanced, from their logs: `make kube-verdict`. Exits 1 if a client's verdict is not
 * what its strategy and policy must give.
 */
import { systemClock } from "@grpc-lb/core";
import { integerFlag, runProgram, switchFlag } from "@grpc-lb/program";
import { type Expectation, expectationOfStrategy } from "@grpc-lb/verdict";
import { hasTools } from "../has-tools.ts";
import { type Assessment, assess, describeReach, describeShares } from "./assess.ts";
import { type CallWindow, lastCalls } from "./call-window.ts";
import { findClientPod } from "./client-pod.ts";
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
  const judged = await Promise.all(
    clients.map(async (client) => ({ ...client, ...(await judgeClient(kubectl, client, flags.calls, signal)) })),
  );

  if (flags.json) process.stdout.write(`${JSON.stringify({ clients: judged.map(toJson) })}\n`);
  else {
    const rows = judged.map(({ client, strategy, policy, verdict, failedCalls, expectation }) => [
      client,
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
  for (const { client, failure, expectation } of failed)
    process.stderr.write(`${client}: ${failure}. ${expectation.why}\n`);
  return failed.length === 0 ? 0 : 1;
});

/** Judges a client's last calls; waits until there are enough since the last change of the pods. */
async function judgeClient(
  kubectl: Kubectl,
  { client, expectation }: { readonly client: string; readonly expectation: Expectation },
  limit: number,
  signal: AbortSignal,
): Promise<Assessment> {
  const giveUpAt = systemClock.now() + waitLimitMs;
  for (let isFirst = true; ; isFirst = false) {
    const servers = await listReadyServers(kubectl);
    if (servers.length < 2) stop(`a verdict needs at least 2 ready servers, ${servers.length} are ready`);
    const window = await readWindow(kubectl, client, (log) => lastCalls(log, servers, limit));
    const seen = window.calls.length + window.errors.length;
    const isLate = systemClock.now() > giveUpAt;
    if (seen >= minCalls || isLate) {
      if (seen < minCalls) stop(`${client} has made ${seen} calls to the pods of now, and ${minCalls} are needed`);
      return assess(
        window,
        servers.map(({ name }) => name),
        expectation,
      );
    }
    if (isFirst)
      process.stderr.write(`${client}: ${seen} calls since the last change of the pods; waiting for ${minCalls}\n`);
    await systemClock.sleep(pollMs, signal);
  }
}

async function readWindow(kubectl: Kubectl, client: string, read: (log: string) => CallWindow): Promise<CallWindow> {
  const pod = await findClientPod(kubectl, client);
  if (pod === null || pod.starting !== null) return { calls: [], errors: [] };
  return read(await kubectl.run(["logs", pod.name, "-c", client, "--timestamps"]));
}

/** A client's line of the JSON output. */
function toJson(
  judged: Assessment & {
    readonly client: string;
    readonly strategy: string;
    readonly policy: string;
    readonly expectation: Expectation;
  },
) {
  const { client, strategy, policy, verdict, failedCalls, failure, expectation } = judged;
  const counts = verdict ? [...verdict.perPod.values()] : [];
  return {
    client,
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
