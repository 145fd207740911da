import type { MetricOptions } from "@opentelemetry/api";

/** The buckets of OpenTelemetry's conventions (https://opentelemetry.io/docs/specs/semconv/http/http-metrics). */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The options of `http.server.request.duration` and `http.client.request.duration`. */
export const durationOptions = (side: "server" | "client"): MetricOptions => ({
  description: `Duration of HTTP ${side} requests`,
  unit: "s",
  advice: { explicitBucketBoundaries: buckets },
});

const methods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);

/** `_OTHER` for a method that no standard has, so that peers cannot make up series. */
export const knownMethod = (method: string): string => (methods.has(method) ? method : "_OTHER");
