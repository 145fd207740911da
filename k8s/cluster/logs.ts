/**
 * Shows what the two clients print, side by side, until Ctrl-C: `make kube-logs`. In a pipe, each line follows its client's
 * name instead. A client whose pod is replaced is followed in the new one.
 */
import { systemClock } from "@grpc-lb/runtime";
import { choiceFlag, integerFlag, runProgram, startChild } from "@grpc-lb/runtime/process";
import { Columns } from "./columns.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";

const clients = ["client-http", "client-grpc"] as const;
/** How long a line waits for the other client's line of the same second. */
const pairingMs = 900;

const flags = {
  namespace: namespaceFlag,
  lines: integerFlag({ help: "how many lines of the past to begin with", default: 10, min: 0 }),
  follow: choiceFlag<"true" | "false">({
    help: "whether to go on with new lines",
    choices: ["true", "false"],
    metavar: "bool",
    default: "true",
  }),
};

void runProgram({ name: "kube-logs", summary: "Shows the clients' lines.", flags }, async ({ flags, signal }) => {
  const kubectl = await createKubectl(flags.namespace);
  await requireRights(kubectl, ["get deployments.apps", "list pods", "get pods --subresource=log"]);
  for (const client of clients) {
    const { code, problem } = await kubectl.try(["get", "deployment", client, "-o", "name"]);
    if (code === 0) continue;
    if (!problem.includes("NotFound")) stop(problem);
    const given = flags.namespace === "" ? "" : ` NAMESPACE=${flags.namespace}`;
    stop(`there is no ${client} in namespace ${kubectl.namespace}; run: make kube-deploy${given}`);
  }
  const onLine = process.stdout.isTTY ? sideBySide(process.stdout.columns) : prefixed;
  await Promise.all(
    clients.map((client, side) => {
      const give = (line: string) => onLine(side as 0 | 1, line);
      const options = { lines: flags.lines, give, signal };
      return flags.follow === "true" ? follow(kubectl, client, options) : show(kubectl, client, options);
    }),
  );
  return 0;
});

interface LogOptions {
  readonly lines: number;
  readonly give: (line: string) => void;
  readonly signal: AbortSignal;
}

async function show(kubectl: Kubectl, client: string, { lines, give }: LogOptions): Promise<void> {
  const pod = await newestPod(kubectl, client);
  if (pod === null) stop(`${client} has no pod; see: kubectl get pods,events -n ${kubectl.namespace}`);
  const text = await kubectl.run(["logs", pod.name, "-c", client, `--tail=${lines}`]);
  for (const line of text.split("\n").slice(0, -1)) give(line);
}

async function follow(kubectl: Kubectl, client: string, { lines, give, signal }: LogOptions): Promise<void> {
  let seen: string | null = null;
  let said = "";
  const say = (text: string) => {
    if (text !== said && !signal.aborted) process.stderr.write(`${client}: ${text}\n`); // once a change, not once a try
    said = text;
  };
  for (; !signal.aborted; await systemClock.sleep(1_000, signal)) {
    const pod = await newestPod(kubectl, client);
    if (pod === null) {
      say("no pod to be seen");
      continue;
    }
    const run = `${pod.name} ${pod.restarts}`;
    const tail = seen === null ? lines : seen === run ? 0 : -1;
    let problem = "";
    const child = startChild({
      command: "kubectl",
      args: ["logs", "--follow", pod.name, "-n", kubectl.namespace, "-c", client, `--tail=${tail}`],
      env: process.env as Record<string, string>,
      onStdout(line) {
        seen = run;
        said = "";
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
    if (code !== 0 && problem !== "") say(problem);
  }
}

/** The pod of a deployment that was made last and is not on its way out; null when there is none, or no answer. */
async function newestPod(kubectl: Kubectl, client: string): Promise<{ name: string; restarts: number } | null> {
  const { code, stdout } = await kubectl.try(["get", "pods", "-l", `app=${client}`, "-o", "json"]);
  if (code !== 0) return null;
  const pods = JSON.parse(stdout).items.filter(
    ({ metadata }: { metadata: object }) => !("deletionTimestamp" in metadata),
  );
  pods.sort((a: Pod, b: Pod) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1));
  const newest: Pod | undefined = pods[0];
  if (newest === undefined) return null;
  const container = newest.status.containerStatuses?.find(({ name }) => name === client);
  return { name: newest.metadata.name, restarts: container?.restartCount ?? 0 };
}

interface Pod {
  readonly metadata: { readonly name: string; readonly creationTimestamp: string };
  readonly status: { readonly containerStatuses?: readonly { readonly name: string; readonly restartCount: number }[] };
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
