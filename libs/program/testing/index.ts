/** For tests: starts a program as a child process and waits for its lines, and finds the browser of the machine. */
export { type Chromium, findChromium, noChromium } from "./chromium.ts";
export { programEnv, type RunningProgram, runToEnd, startProgram, watchChild } from "./program.ts";
