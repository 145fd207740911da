/**
 * What the tests of every room use: a clock that is moved by hand, programs as child processes, certificates, proof of a clean
 * end.
 */

export { type CertificatePair, type Certificates, makeCertificates } from "./certificates.ts";
export { closedPort } from "./closed-port.ts";
export { ManualClock } from "./manual-clock.ts";
export { assertNothingLeft } from "./nothing-left.ts";
export { type RunningProgram, runToEnd, startProgram, watchChild } from "./program.ts";
