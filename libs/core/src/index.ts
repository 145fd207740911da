/**
 * What every part of grpc-lb builds on: time, random numbers, backoff and durations. It depends on nothing, and it does not know
 * gRPC.
 *
 * ```ts
 * import { createBackoff, parseDuration, systemClock } from "@grpc-lb/core";
 *
 * const backoff = createBackoff({ baseMs: 200, maxMs: parseDuration("30s"), random: Math.random });
 * await systemClock.sleep(backoff.next());
 * ```
 */
export { type Backoff, createBackoff } from "./backoff.ts";
export { checkOptions, describeType, type OptionKind, type OptionRule, type OptionRules } from "./check-options.ts";
export { checkServerIdentity } from "./check-server-identity.ts";
export { type Clock, systemClock } from "./clock.ts";
export { type Context, completeContext } from "./context.ts";
export { formatDuration, maxDurationMs, parseDuration } from "./duration.ts";
export { requireFileName, showFileName } from "./file-name.ts";
export { describeHandshakeFailure, type TlsNames } from "./handshake-failure.ts";
export {
  bracketHost,
  formatHostPort,
  hostOfAddress,
  isPortNumber,
  parsePortNumber,
  unbracketHost,
} from "./host-port.ts";
export { messageOf } from "./message-of.ts";
export { describeMissingPackage } from "./missing-package.ts";
export { nearestWord } from "./nearest-word.ts";
export { describeCopies, type Loaded, type RegistryPackage, recordCopy } from "./package-copies.ts";
export { printableLine } from "./printable-line.ts";
export { isProtectedUrl } from "./protected-url.ts";
export { createRandom, type Random } from "./random.ts";
export { describeReadFailure } from "./read-failure.ts";
export { type ReadTextOptions, readTextFile } from "./read-text-file.ts";
export { redactAddress, redactReason, redactTarget, type Shown } from "./redact.ts";
export { untilAborted } from "./until-aborted.ts";
