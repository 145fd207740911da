/**
 * The metrics of gRPC (gRFC A66), and of balancing, through a meter of `@opentelemetry/api`.
 *
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import { createClientMetrics } from "@grpc-lb/interceptors/metrics";
 *
 * const meter = metrics.getMeter("@grpc-lb/interceptors"); // of the meter provider that your process has set
 * const client = new PodServiceClient(target, credentials, { interceptors: [createClientMetrics({ meter })] });
 * ```
 */
export { type BalancingMetrics, type BalancingMetricsOptions, observeBalancing } from "./balancing-metrics.ts";
export { type ClientMetricsOptions, createClientMetrics } from "./client-metrics.ts";
export {
  createHistograms,
  type HistogramData,
  type HistogramProducer,
  type Histograms,
  type NoResource,
} from "./histograms.ts";
export { withMessageSizes } from "./message-sizes.ts";
export { createServerMetrics, type ServerMetricsOptions } from "./server-metrics.ts";
