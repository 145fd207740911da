import type { Interceptor } from "@grpc/grpc-js";
import type { TracedEndpoint } from "@grpc-lb/interceptors/tracing";
import type { Instruments } from "../telemetry.ts";

/** What is known of the channels that are measured. */
export interface GrpcClientTelemetryOptions {
  /** Finds the endpoint of a connection, for the pod's name in the spans. Default: none. */
  readonly findEndpoint?: (peer: string) => TracedEndpoint | undefined;
}

/**
 * Creates the interceptors of gRPC clients: the metrics of gRFC A66, and traces. None without metrics and traces. To be called once in a
 * process.
 */
export async function createGrpcClientTelemetry(
  { meter, tracer }: Instruments,
  { findEndpoint }: GrpcClientTelemetryOptions = {},
): Promise<Interceptor[]> {
  const interceptors: Interceptor[] = [];
  if (tracer) {
    const { createClientTracing } = await import("@grpc-lb/interceptors/tracing");
    interceptors.push(createClientTracing({ tracer, findEndpoint }));
  }
  if (meter) {
    const { createClientMetrics } = await import("@grpc-lb/interceptors/metrics");
    interceptors.push(createClientMetrics({ meter }));
  }
  return interceptors;
}
