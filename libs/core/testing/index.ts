/** For tests: a manual clock, bounded waits, server-sent events, certificates, closed ports, and a check for open handles. */
export {
  type CertificatePair,
  type Certificates,
  makeAuthority,
  makeCertificates,
  makeTwoAuthorities,
  type TestAuthority,
  type TestLeaf,
} from "./certificates.ts";
export { closedPort } from "./closed-port.ts";
export { FakeProxy, type FakeProxyMode } from "./fake-proxy.ts";
export { ManualClock } from "./manual-clock.ts";
export { assertNothingLeft } from "./nothing-left.ts";
export { untilServerSent } from "./server-sent-events.ts";
export { turn, until } from "./until.ts";
