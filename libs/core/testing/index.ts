/** What the tests of every room share: a manual clock, bounded waits, certificates, and the proof that nothing is left. */
export { type CertificatePair, type Certificates, makeCertificates } from "./certificates.ts";
export { closedPort } from "./closed-port.ts";
export { ManualClock } from "./manual-clock.ts";
export { assertNothingLeft } from "./nothing-left.ts";
export { turn, until } from "./until.ts";
