/**
 * What of `@grpc-lb/interceptors/metrics` does not load grpc-js, for the programs of this repository that call over HTTP alone. It is not
 * published.
 */
export { observeBalancing } from "../metrics/balancing-metrics.ts";
export { createHistograms } from "../metrics/histograms.ts";
