/**
 * Shows the logs of the two clients side by side until Ctrl-C: `make kube-logs`. In a pipe, each line follows its client's name
 * instead. If a pod is replaced, the new one is followed.
 */
import { systemClock } from "@grpc-lb/core";
import { choiceFlag, integerFlag, runProgram, startChild } from "@grpc-lb/program";
import { type ClientPod, findClientPod } from "./client-pod.ts";
import { Columns } from "./columns.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { LogPosition } from "./log-position.ts";

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
  const kubectl = await createKubectl(flags.namespace, signal);
  await requireRights(kubectl, ["get deployments.apps", "list pods", "get pods --subresource=log"]);
  for (const client of clients) {
    const { code, problem } = await kubectl.try(["get", "deployment", client, "-o", "name"]);
    if (code === 0) continue;
    if (!problem.includes("NotFound")) stop(problem);
    const given = flags.namespace === "" ? "" : ` NAMESPACE=${flags.namespace}`;
    stop(`namespace ${kubectl.namespace} has no ${client}; run: make kube-deploy${given}`);
  }
  const onLine = process.stdout.isTTY ? sideBySide(process.stdout.columns) : prefixed;
  const ends = clients.map((client, side) => {
    const give = (line: string) => onLine(side as 0 | 1, line);
    const options = { lines: flags.tailLines, give, signal };
    return flags.follow === "true" ? follow(kubectl, client, options) : show(kubectl, client, options);
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

async function follow(kubectl: Kubectl, client: string, { lines, give, signal }: LogOptions): Promise<void> {
  const warn = createWarn();
  let run = "";
  let position = new LogPosition();
  for (let first = [`--tail=${lines}`]; !signal.aborted; await systemClock.sleep(1_000, signal)) {
    const pod = await findClientPod(kubectl, client);
    if (pod === null || pod.starting !== null) {
      warn(whyNotStarted(client, pod));
      continue;
    }
    const found = `${pod.name} ${pod.restarts}`;
    if (run !== found) {
      if (run !== "") first = ["--tail=-1"]; // a replacement is shown from its start
      run = found;
      position = new LogPosition();
    }
    let problem = "";
    const child = startChild({
      command: "kubectl",
      args: [
        ...kubectl.where,
        "logs",
        "--follow",
        "--timestamps",
        pod.name,
        "-c",
        client,
        ...position.arguments(first),
      ],
      env: process.env as Record<string, string>,
      onStdout(stamped) {
        const line = position.take(stamped);
        if (line === null) return;
        warn("");
        give(line);
      },
      onStderr(line) {
        problem = line;
      },
    });
    const end = () => child.kill("SIGTERM");
    signal.addEventListener("abort", end);
    const { code } = await child.exited;
    signal.removeEventListener("abort", end);
    if (code !== 0 && problem !== "" && !signal.aborted) warn(`${client}: ${problem}`);
  }
}

/** Prints a message when it differs from the one before. */
function createWarn(): (text: string) => void {
  let last = "";
  return (text) => {
    if (text !== last && text !== "") process.stderr.write(`${text}\n`);
    last = text;
  };
}

function whyNotStarted(client: string, pod: ClientPod | null): string {
  return pod === null ? `${client}: no pod found` : `${client}: pod ${pod.name} has not started (${pod.starting})`;
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
