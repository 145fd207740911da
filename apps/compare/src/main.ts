import { createInterface } from "node:readline";
import { formatHostPort, messageOf, systemClock } from "@grpc-lb/core";
import {
  type ApiAccess,
  createKubeconfigAccess,
  createServiceAccountAccess,
  isInCluster,
} from "@grpc-lb/discovery/kubernetes";
import {
  choiceFlag,
  listening,
  ProgramError,
  portFlag,
  printableLine,
  runProgram,
  switchFlag,
  textFlag,
} from "@grpc-lb/program";
import { Board } from "./board.ts";
import { watchCluster } from "./cluster/watch-cluster.ts";
import { EventStream, eventText } from "./event-stream.ts";
import { serveHealth } from "./health.ts";
import { servePage } from "./http.ts";
import { parseInput } from "./input.ts";
import { loadAssets } from "./page-assets.ts";

const namespaceFlag = {
  ...textFlag({
    help: "namespace of a cluster whose clients and pods are shown",
    default: "",
    defaultText: "none: stdin has what is shown",
    metavar: "name",
  }),
  parse(text: string) {
    if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
      throw new RangeError(`must be a namespace's name (a-z, 0-9, -; at most 63), got "${text}"`);
    return text;
  },
};

const flags = {
  // The page refuses requests that name another host, so another address would serve nobody.
  host: choiceFlag({
    ...{ help: "loopback address to listen on", metavar: "address" },
    ...{ choices: ["127.0.0.1", "::1"], default: "127.0.0.1" },
  }),
  port: portFlag({ help: "port to listen on, 0 for a free one", default: 0 }),
  healthPort: portFlag({ help: "port of /healthz on every address, 0 for none", default: 0 }),
  namespace: namespaceFlag,
  strategy: textFlag({ help: "strategy of the namespace's client-grpc", default: "", metavar: "name" }),
  policy: textFlag({ help: "load balancing policy of the namespace's client-grpc", default: "", metavar: "name" }),
  allowActions: switchFlag({ help: "lets the page scale the server, delete a pod and restart the rollout" }),
};

const summary = "Serves a page that shows what clients do: from lines on stdin, or from a namespace of a cluster.";

const callsMs = 100;
const stateMs = 500;
const pointMs = 1_000;
/** A wrong line is reported; after this many, no more. */
const maxReports = 20;

const say = (message: Readonly<Record<string, unknown>>) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** What feeds the board until it ends. */
interface Feed {
  act(action: string): void;
  end(): Promise<void>;
}

void runProgram({ name: "compare", summary, flags }, async ({ flags, signal }) => {
  const board = new Board(systemClock);
  const stream = new EventStream();
  const feed = flags.namespace === "" ? readStdin(board) : await readCluster(board, flags, signal);
  const closers: (() => unknown)[] = [() => feed.end()];
  const serve = async () => {
    const assets = await loadAssets();
    const page = servePage({
      ...{ host: flags.host, port: flags.port, assets, stream },
      first: () => [eventText("history", board.history), eventText("state", board.snapshot())],
      actions: () => board.actions,
      act: feed.act,
    });
    const server = await listening("--port", flags.port, page);
    closers.push(() => server.close());
    if (flags.healthPort !== 0)
      closers.push(await listening("--health-port", flags.healthPort, serveHealth(flags.healthPort)));
    return `http://${formatHostPort(flags.host, server.port)}`;
  };
  const every = async (ms: number, work: () => void) => {
    while (!signal.aborted) {
      work();
      await systemClock.sleep(ms, signal);
    }
  };
  try {
    const url = await serve().catch((cause: unknown) => {
      throw new ProgramError(messageOf(cause), { cause, exitCode: 1 });
    });
    say({ t: "serving", url });
    await Promise.all([
      every(callsMs, () => {
        const calls = board.takeCalls();
        if (calls.length > 0 && stream.watchers > 0) stream.send(eventText("calls", calls));
      }),
      every(stateMs, () => {
        if (stream.watchers > 0) stream.send(eventText("state", board.snapshot()));
      }),
      every(pointMs, () => stream.send(eventText("point", board.addPoint()))),
    ]);
  } finally {
    for (const close of closers) await close();
  }
  return 0;
});

function readStdin(board: Board): Feed {
  let reports = 0;
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => {
    try {
      board.take(parseInput(line));
    } catch (error) {
      if (++reports <= maxReports) process.stderr.write(`compare: ${printableLine(messageOf(error), 300)}\n`);
    }
  });
  lines.once("close", () => board.end());
  return {
    act: (action) => say({ t: "action", action }),
    async end() {
      lines.close();
      process.stdin.destroy();
    },
  };
}

/** Reads a namespace by the pod's service account, and outside of a cluster by kubectl's current context. */
async function readCluster(
  board: Board,
  flags: { namespace: string; strategy: string; policy: string; allowActions: boolean },
  signal: AbortSignal,
): Promise<Feed> {
  const found: Promise<ApiAccess> = isInCluster() ? createServiceAccountAccess() : createKubeconfigAccess();
  const access = await found.catch((cause: unknown) => {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 1 });
  });
  const { namespace, strategy, policy, allowActions } = flags;
  const ending = new AbortController();
  const cluster = watchCluster(
    {
      ...{ access, namespace, strategy, policy, allowActions, clock: systemClock },
      onInput: (input) => board.take(input),
    },
    AbortSignal.any([signal, ending.signal]),
  );
  return {
    act: cluster.act,
    async end() {
      ending.abort();
      await cluster.ended;
    },
  };
}
