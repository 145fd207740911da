import { ServerInterceptingCall, type ServerInterceptor, type ServiceDefinition } from "@grpc/grpc-js";
import type { Instruments } from "../telemetry.ts";

/** What a gRPC server is made with. */
export interface GrpcServerTelemetry {
  /** For the options of the server; the first is the outermost. */
  readonly interceptors: readonly ServerInterceptor[];
  /** The definition to add to the server instead, for the sizes of its messages. */
  measured<Definition extends ServiceDefinition>(definition: Definition): Definition;
}

/** A server without telemetry. */
export const noGrpcServerTelemetry: GrpcServerTelemetry = { interceptors: [], measured: (definition) => definition };

/**
 * Creates the interceptors of a gRPC server: the metrics of gRFC A66, and traces. None without metrics and traces.
 *
 * @param isServing whether calls that begin now are observed: those of a warm-up are not of clients. Default: always
 */
export async function createGrpcServerTelemetry(
  { meter, tracer }: Instruments,
  isServing: () => boolean = () => true,
): Promise<GrpcServerTelemetry> {
  const interceptors: ServerInterceptor[] = [];
  const add = (interceptor: ServerInterceptor) =>
    interceptors.push((method, call) => (isServing() ? interceptor(method, call) : new ServerInterceptingCall(call)));
  if (tracer) {
    const { createServerTracing } = await import("@grpc-lb/interceptors/tracing");
    add(createServerTracing({ tracer }));
  }
  if (!meter) return { ...noGrpcServerTelemetry, interceptors };
  const { createServerMetrics, withMessageSizes } = await import("@grpc-lb/interceptors/metrics");
  add(createServerMetrics({ meter }));
  return { interceptors, measured: withMessageSizes };
}
