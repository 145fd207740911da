/**
 * Metrics and traces of a program, with OpenTelemetry's SDK, which is loaded only for what is asked for.
 *
 * ```ts
 * import { createAdminServer } from "@grpc-lb/operations/admin";
 * import { startTelemetry } from "@grpc-lb/operations/telemetry";
 *
 * const service = { name: "server", version: "1.0.0" };
 * const telemetry = await startTelemetry({ service, hasMetrics: true, report: (line) => process.stderr.write(`${line}\n`) });
 * const admin = await createAdminServer({ port: 9464, routes: telemetry.routes });
 * ```
 */
export { type CertificateExpiry, createCertificateExpiry } from "./certificate-expiry.ts";
export {
  type Exchange,
  type Instruments,
  type ObservedRequest,
  type ObserveRequest,
  onlySend,
  startTelemetry,
  type Telemetry,
  type TelemetryOptions,
} from "./telemetry.ts";
export { telemetryFlags } from "./telemetry-flags.ts";
