/**
 * Traces of calls, with the spans of `@opentelemetry/api`: of a call, of each of its attempts, and of the server's work.
 *
 * ```ts
 * import { createClientTracing } from "@grpc-lb/interceptors/tracing";
 *
 * const client = new PodServiceClient(target, credentials, { interceptors: [createClientTracing()] });
 * ```
 */
export { activeSpanId, activeTraceId } from "./active-trace-id.ts";
export { type ClientTracingOptions, createClientTracing, type TracedEndpoint } from "./client-tracing.ts";
export { createServerTracing, type ServerTracingOptions } from "./server-tracing.ts";
