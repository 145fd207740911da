/**
 * Shows the logs of the two clients side by side until Ctrl-C: `make kube-logs`. In a pipe, each line follows its client's name
 * instead. If a pod is replaced, the new one is followed.
 */
import { systemClock } from "@grpc-lb/core";
import { choiceFlag, integerFlag, runProgram } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { findClientPod } from "./client-pod.ts";
import { Columns } from "./columns.ts";
import { followClient, whyNotStarted } from "./follow-client.ts";
import { createKubectl, deployCommand, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";

const clients = ["client-http", "client-grpc"] as const;
/** How long a line waits for the other client's line of the same second, in milliseconds. */
const pairingMs = 900;
/** How long to wait for a pod to start, in milliseconds. */
const startLimitMs = 60_000;

const flags = {
  namespace: namespaceFlag,
  tailLines: integerFlag({ help: "how many past lines to show first", default: 10, min: 0 }),
  follow: choiceFlag<"true" | "false">({
    help: "whether to follow new lines",
    choices: ["true", "false"],
    metavar: "bool",
    default: "true",
  }),
};

void runProgram({ name: "kube-logs", summary: "Shows the clients' logs.", flags }, async ({ flags, signal }) => {
  if (!(await hasTools("kube-logs", signal))) return 1;
  const kubectl = await createKubectl(flags.namespace, signal);
  await requireRights(kubectl, ["get deployments.apps", "list pods", "get pods --subresource=log"]);
  for (const client of clients) {
    const { code, problem } = await kubectl.try(["get", "deployment", client, "-o", "name"]);
    if (code === 0) continue;
    if (!problem.includes("NotFound")) stop(problem);
    stop(`namespace ${kubectl.namespace} has no ${client}; run: ${deployCommand(kubectl)}`);
  }
  const onLine = process.stdout.isTTY ? sideBySide(process.stdout.columns) : prefixed;
  const ends = clients.map((client, side) => {
    const give = (line: string) => onLine(side as 0 | 1, line);
    const options = { lines: flags.tailLines, give, signal };
    return flags.follow === "true"
      ? followClient(kubectl, client, { ...options, warn: createWarn() })
      : show(kubectl, client, options);
  });
  try {
    await Promise.all(ends);
  } catch (error) {
    if (flags.follow !== "true" || !signal.aborted) throw error; // Ctrl-C is how following ends
    await Promise.allSettled(ends);
  }
  return 0;
});

interface LogOptions {
  readonly lines: number;
  readonly give: (line: string) => void;
  readonly signal: AbortSignal;
}

async function show(kubectl: Kubectl, client: string, { lines, give, signal }: LogOptions): Promise<void> {
  const warn = createWarn();
  const giveUpAt = systemClock.now() + startLimitMs;
  let pod = await findClientPod(kubectl, client);
  for (; pod === null || pod.starting !== null; pod = await findClientPod(kubectl, client)) {
    if (systemClock.now() > giveUpAt)
      stop(`${whyNotStarted(client, pod)}; see: kubectl get pods,events -n ${kubectl.namespace}`);
    warn(whyNotStarted(client, pod));
    await systemClock.sleep(1_000, signal);
  }
  const text = await kubectl.run(["logs", pod.name, "-c", client, `--tail=${lines}`]);
  for (const line of text.split("\n").slice(0, -1)) give(line);
}

/** Prints a message when it differs from the one before. */
function createWarn(): (text: string) => void {
  let last = "";
  return (text) => {
    if (text !== last && text !== "") process.stderr.write(`${text}\n`);
    last = text;
  };
}

function prefixed(side: 0 | 1, line: string): void {
  process.stdout.write(`${clients[side].padEnd(12)}${line}\n`);
}

function sideBySide(width: number): (side: 0 | 1, line: string) => void {
  const columns = new Columns(width);
  const write = (rows: readonly string[]) => process.stdout.write(rows.map((row) => `${row}\n`).join(""));
  write(columns.row(clients[0], clients[1]));
  let flush: NodeJS.Timeout | undefined;
  return (side, line) => {
    const rows = columns.push(side, line);
    write(rows);
    clearTimeout(flush);
    flush = setTimeout(() => write(columns.flush()), pairingMs);
  };
}
