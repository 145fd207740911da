import type { MetricOptions } from "@opentelemetry/api";

/** The buckets of gRFC A66 (https://github.com/grpc/proposal/blob/master/A66-otel-stats.md#units). */
const latencyBuckets = [
  ...[
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.013,
  ],
  ...[0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5],
  ...[10, 20, 50, 100],
];
const sizeBuckets = [0, 1, 2, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304].map(
  (kibibytes) => kibibytes * 1_024,
);

/** The options of a histogram of seconds. */
export const latency = (description: string): MetricOptions => ({
  description,
  unit: "s",
  advice: { explicitBucketBoundaries: latencyBuckets },
});

/** The options of a histogram of bytes. */
export const size = (description: string): MetricOptions => ({
  description,
  unit: "By",
  advice: { explicitBucketBoundaries: sizeBuckets },
});
