/** Programs of the suite as child processes, for tests. */
export { type RunningProgram, runToEnd, startProgram, watchChild } from "./program.ts";
