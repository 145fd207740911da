import { createCertificateExpiry } from "../telemetry/certificate-expiry.ts";
import { startTelemetry, type Telemetry, type TelemetryOptions } from "../telemetry/telemetry.ts";
import type { ReloadingCredentials } from "../tls/reloading-credentials.ts";

/** The flags that telemetry depends on. */
export interface ClientTelemetryFlags extends Pick<TelemetryOptions, "otlpEndpoint" | "traceSampling"> {
  readonly adminPort: number | undefined;
}

/**
 * Starts the telemetry of a client: metrics if it has an admin port, which include when its certificate ends, and traces.
 *
 * @param tls the client's credentials; undefined without TLS
 * @param report receives a line when the collector of traces fails, and when it takes spans again
 * @returns what `withOperations` closes
 */
export async function startClientTelemetry(
  service: TelemetryOptions["service"],
  { adminPort, otlpEndpoint, traceSampling }: ClientTelemetryFlags,
  tls: Pick<ReloadingCredentials, "followExpiry"> | undefined,
  report: (line: string) => void,
): Promise<Telemetry> {
  const hasMetrics = adminPort !== undefined;
  const telemetry = await startTelemetry({ service, hasMetrics, otlpEndpoint, traceSampling, report });
  const expiry = createCertificateExpiry(telemetry);
  tls?.followExpiry((expiresMs) => expiry.set("client", expiresMs));
  return telemetry;
}
