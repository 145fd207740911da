/**
 * Shows what the two clients print, side by side, until Ctrl-C: `make kube-logs`. In a pipe, each line follows its client's
 * name instead. A client whose pod is replaced is followed in the new one.
 */
import { systemClock } from "@grpc-lb/core";
import { choiceFlag, integerFlag, runProgram, startChild } from "@grpc-lb/program";
import { type ClientPod, findClientPod } from "./client-pod.ts";
import { Columns } from "./columns.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { LogPosition } from "./log-position.ts";

const clients = ["client-http", "client-grpc"] as const;
/** How long a line waits for the other client's line of the same second. */
const pairingMs = 900;
/** How long a pod may take to start before a look at its lines is given up. */
const startLimitMs = 60_000;

const flags = {
  namespace: namespaceFlag,
  tailLines: integerFlag({ help: "how many lines of the past to begin with", default: 10, min: 0 }),
  follow: choiceFlag<"true" | "false">({
    help: "whether to go on with new lines",
    choices: ["true", "false"],
    metavar: "bool",
    default: "true",
  }),
};

void runProgram({ name: "kube-logs", summary: "Shows the clients' lines.", flags }, async ({ flags, signal }) => {
  const kubectl = await createKubectl(flags.namespace, signal);
  await requireRights(kubectl, ["get deployments.apps", "list pods", "get pods --subresource=log"]);
  for (const client of clients) {
    const { code, problem } = await kubectl.try(["get", "deployment", client, "-o", "name"]);
    if (code === 0) continue;
    if (!problem.includes("NotFound")) stop(problem);
    const given = flags.namespace === "" ? "" : ` NAMESPACE=${flags.namespace}`;
    stop(`there is no ${client} in namespace ${kubectl.namespace}; run: make kube-deploy${given}`);
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
  const say = sayer();
  const giveUpAt = systemClock.now() + startLimitMs;
  let pod = await findClientPod(kubectl, client);
  for (; pod === null || pod.starting !== null; pod = await findClientPod(kubectl, client)) {
    if (systemClock.now() > giveUpAt)
      stop(`${whyNot(client, pod)}; see: kubectl get pods,events -n ${kubectl.namespace}`);
    say(whyNot(client, pod));
    await systemClock.sleep(1_000, signal);
  }
  const text = await kubectl.run(["logs", pod.name, "-c", client, `--tail=${lines}`]);
  for (const line of text.split("\n").slice(0, -1)) give(line);
}

async function follow(kubectl: Kubectl, client: string, { lines, give, signal }: LogOptions): Promise<void> {
  const say = sayer();
  let run = "";
  let position = new LogPosition();
  for (let first = [`--tail=${lines}`]; !signal.aborted; await systemClock.sleep(1_000, signal)) {
    const pod = await findClientPod(kubectl, client);
    if (pod === null || pod.starting !== null) {
      say(whyNot(client, pod));
      continue;
    }
    const found = `${pod.name} ${pod.restarts}`;
    if (run !== found) {
      if (run !== "") first = ["--tail=-1"]; // what replaces the one that was followed is shown from its start
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
        say("");
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
    if (code !== 0 && problem !== "" && !signal.aborted) say(`${client}: ${problem}`);
  }
}

/** Says a thing once a change, not once a try. */
function sayer(): (text: string) => void {
  let said = "";
  return (text) => {
    if (text !== said && text !== "") process.stderr.write(`${text}\n`);
    said = text;
  };
}

function whyNot(client: string, pod: ClientPod | null): string {
  return pod === null ? `${client}: no pod to be seen` : `${client}: pod ${pod.name} has not started (${pod.starting})`;
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
