/**
 * Metrics and traces of gRPC clients and servers, for programs whose telemetry is that of `@grpc-lb/operations/telemetry`.
 *
 * ```ts
 * const telemetry = await startTelemetry({ service, hasMetrics: true, report });
 * const { interceptors, measured } = await createGrpcServerTelemetry(telemetry);
 * const server = new Server({ interceptors: [...interceptors] });
 * server.addService(measured(PodServiceService), handlers);
 * ```
 */
export { createGrpcClientTelemetry, type GrpcClientTelemetryOptions } from "./client.ts";
export { createGrpcServerTelemetry, type GrpcServerTelemetry, noGrpcServerTelemetry } from "./server.ts";
