import { durationFlag, ProgramError, portFlag, runProgram } from "@grpc-lb/program";
import { chooseStrategies, describeSkipped, skipUnavailable } from "../choose-strategies.ts";
import { asUsageError, runFlags } from "../run-flags.ts";
import { createStrategies } from "../strategies.ts";
import { runLive } from "./run-live.ts";

const flags = {
  port: portFlag({ help: "port of the page on 127.0.0.1, 0 for a free one", default: 0 }),
  interval: durationFlag({ help: "pause between two calls of a client", default: 50, minMs: 1 }),
  ...runFlags,
};

const summary = "Runs the strategies on this machine and shows their calls on a live page.";

void runProgram({ name: "live", summary, flags, mistaken: { STRATEGY: "strategies" } }, async ({ flags, signal }) => {
  process.once("SIGHUP", () => process.exit(129)); // the terminal is gone; the exit listeners end the processes
  const { port, interval: intervalMs, servers, seed } = flags;
  const pods = Array.from({ length: servers }, (_, i) => `server-${i + 1}`);
  const plan = { pods, intervalMs, seed, settleMs: 0, afterMs: 0 };
  const chosen = asUsageError(() => chooseStrategies(createStrategies(flags.policy), flags.strategies));
  const { strategies, skipped } = await skipUnavailable(chosen);
  if (strategies.length === 0) throw new ProgramError(`nothing to show: ${describeSkipped(skipped)}`, { exitCode: 1 });
  for (const each of skipped) process.stderr.write(`${describeSkipped([each])}\n`);
  await runLive({ plan, strategies, skipped, port, signal, write: (text) => void process.stdout.write(text) });
  return 0;
});
