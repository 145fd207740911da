/**
 * What a program of the suite is made of: flags with environment variables, an end on SIGTERM, logs, and the loop of calls
 * that the clients share.
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
export { type Child, type ChildExit, type ChildOptions, startChild } from "./child.ts";
export {
  choiceFlag,
  durationFlag,
  type Flag,
  type FlagValues,
  integerFlag,
  type ProgramSpec,
  portFlag,
  switchFlag,
  textFlag,
} from "./flags.ts";
export { listFlag } from "./list-flag.ts";
export { createLogger, logLevels } from "./log.ts";
export { numberFlag } from "./number-flag.ts";
export { type Caller, runClient } from "./run-client.ts";
export { type ProgramContext, ProgramError, runProgram } from "./run-program.ts";
