import type { Interceptor } from "@grpc/grpc-js";
import { context, createNoopMeter, type Meter, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  InMemorySpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { createClientMetrics, createHistograms } from "../src/metrics/index.ts";
import { createClientTracing } from "../src/tracing/index.ts";

/** What the benches compare: OpenTelemetry's SDK as a service has it, exporting to memory. */
export interface Telemetry {
  readonly cases: Readonly<
    Record<"noMeter" | "metrics" | "metricsWithSizes" | "all" | "sdkHistograms", readonly Interceptor[]>
  >;
  /** Drops the spans that were exported. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts OpenTelemetry, with traces of 1 % of the calls. */
export function startTelemetry(): Telemetry {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const histograms = createHistograms();
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 60_000,
    metricProducers: [histograms.producer],
  });
  const sdkMeter = new MeterProvider({ readers: [reader] }).getMeter("bench");
  const meter = histograms.meter(sdkMeter);
  const spans = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    sampler: new TraceIdRatioBasedSampler(0.01),
    spanProcessors: [new BatchSpanProcessor(spans)],
  });
  const metrics = (of: Meter, messageSizes: boolean) => createClientMetrics({ meter: of, messageSizes });
  return {
    cases: {
      noMeter: [metrics(createNoopMeter(), true)],
      sdkHistograms: [metrics(sdkMeter, true)],
      metrics: [metrics(meter, false)],
      metricsWithSizes: [metrics(meter, true)],
      all: [createClientTracing({ tracer: provider.getTracer("bench") }), metrics(meter, true)],
    },
    reset: () => spans.reset(),
    close: async () => {
      await Promise.all([reader.shutdown(), provider.shutdown()]);
    },
  };
}
