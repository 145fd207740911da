/** For tests: starts a program as a child process and waits for its lines. */
export { type RunningProgram, runToEnd, startProgram, watchChild } from "./program.ts";
