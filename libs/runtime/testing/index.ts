/** What the tests of every room use: a clock that is moved by hand, programs as child processes, proof of a clean end. */

export { closedPort } from "./closed-port.ts";
export { ManualClock } from "./manual-clock.ts";
export { assertNothingLeft } from "./nothing-left.ts";
export { type RunningProgram, runToEnd, startProgram, watchChild } from "./program.ts";
