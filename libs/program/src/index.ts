/**
 * What a program needs and a library must not have: flags with environment variables, signals, exit codes, logs, child
 * processes, and the call loop of the two clients. Programs in `apps/` and `k8s/` import it; libraries do not, outside tests.
 *
 * ```ts
 * import { integerFlag, runProgram } from "@grpc-lb/program";
 *
 * const flags = { count: integerFlag({ help: "how often to greet", default: 1, min: 1 }) };
 * await runProgram({ name: "greet", summary: "Greets.", flags }, async ({ flags, signal }) => {
 *   for (let n = 0; n < flags.count && !signal.aborted; n++) process.stdout.write("hello\n");
 *   return 0;
 * });
 * ```
 */

export { printableLine } from "@grpc-lb/core";
export { type Child, type ChildExit, type ChildOptions, startChild } from "./child.ts";
export type { ClientEvent, ObservedCalls } from "./client-events.ts";
export {
  bindAddressFlag,
  choiceFlag,
  durationFlag,
  type Flag,
  fileFlag,
  integerFlag,
  listFlag,
  numberFlag,
  portFlag,
  switchFlag,
  textFlag,
} from "./flags.ts";
export { listenHost } from "./listen-host.ts";
export { listening } from "./listening.ts";
export { createLogger, type LoggerSettings, logLevels } from "./log.ts";
export { type LogFormat, logFormats } from "./log-format.ts";
export { LogPosition, parseStampedLine, type StampedLine } from "./log-position.ts";
export { type FlagValues, type ParsedFlags, type ProgramSpec, parseFlags } from "./parse-flags.ts";
export { parsePodName } from "./pod-name.ts";
export { type Caller, runClient } from "./run-client.ts";
export { type ProgramContext, ProgramError, refuseFlags, runProgram } from "./run-program.ts";
