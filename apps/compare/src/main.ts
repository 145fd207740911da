import { createInterface } from "node:readline";
import { messageOf, systemClock } from "@grpc-lb/core";
import { ProgramError, portFlag, printableLine, runProgram, textFlag } from "@grpc-lb/program";
import { Board } from "./board.ts";
import { EventStream, eventText } from "./event-stream.ts";
import { servePage } from "./http.ts";
import { parseInput } from "./input.ts";
import { buildAssets } from "./page-assets.ts";

const flags = {
  host: textFlag({ help: "address to listen on", default: "127.0.0.1", metavar: "address" }),
  port: portFlag({ help: "port to listen on, 0 for a free one", default: 0 }),
};

const summary = "Serves a page that shows what clients do, as it reads it line by line from stdin.";

const callsMs = 100;
const stateMs = 500;
const pointMs = 1_000;
/** A wrong line is reported; after this many, no more. */
const maxReports = 20;

const say = (message: Readonly<Record<string, unknown>>) => process.stdout.write(`${JSON.stringify(message)}\n`);

void runProgram({ name: "compare", summary, flags }, async ({ flags, signal }) => {
  const board = new Board(systemClock);
  const stream = new EventStream();
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

  const assets = await buildAssets();
  const server = await servePage({
    ...{ host: flags.host, port: flags.port, assets, stream },
    first: () => [eventText("history", board.history), eventText("state", board.snapshot())],
    actions: () => board.actions,
    act: (action) => say({ t: "action", action }),
  }).catch((cause: unknown) => {
    process.stdin.destroy();
    throw new ProgramError(messageOf(cause), { cause, exitCode: 1 });
  });
  say({ t: "serving", url: `http://${flags.host.includes(":") ? `[${flags.host}]` : flags.host}:${server.port}` });

  const every = async (ms: number, work: () => void) => {
    while (!signal.aborted) {
      work();
      await systemClock.sleep(ms, signal);
    }
  };
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
  lines.close();
  process.stdin.destroy();
  await server.close();
  return 0;
});
