import { createHistograms, observeBalancing } from "@grpc-lb/interceptors/metrics-without-grpc";
import { type Meter, metrics } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { AdminRequest, AdminRoutes } from "../admin/routes.ts";
import { chooseFormat } from "./metrics-format.ts";
import { observeProcess } from "./process-metrics.ts";
import { contentTypes, formatMetrics } from "./prometheus-text.ts";
import type { ResourceAttributes } from "./resource.ts";

/** Collects when a scrape comes, and never by itself. */
class ScrapeReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** The metrics of a process. */
export interface Metrics {
  readonly meter: Meter;
  /** `GET /metrics` */
  readonly routes: AdminRoutes;
  /** After it nothing is collected. */
  close(): Promise<void>;
}

/**
 * Creates a meter of OpenTelemetry's SDK, which `metrics.getMeter` of its API has too unless the process has set a provider, the metrics of the process and of balancing, and the route that Prometheus scrapes. Scrapes at the same time share
 * one collection. A callback that throws costs its own metric.
 *
 * @param attributes of `target_info`
 */
export function createMetrics(attributes: ResourceAttributes): Metrics {
  const histograms = createHistograms(); // those of the SDK cost each call four hashes of its attributes
  const reader = new ScrapeReader({ metricProducers: [histograms.producer] });
  const provider = new MeterProvider({ resource: resourceFromAttributes(attributes), readers: [reader] });
  const getMeter: MeterProvider["getMeter"] = (...scope) => histograms.meter(provider.getMeter(...scope));
  const meter = getMeter("@grpc-lb/operations");
  const isGlobal = metrics.setGlobalMeterProvider({ getMeter });
  const observations = [observeProcess(meter), observeBalancing({ meter })];
  let collecting: ReturnType<typeof reader.collect> | undefined;
  const collect = () => {
    collecting ??= reader.collect().finally(() => {
      collecting = undefined;
    });
    return collecting;
  };
  const scrape = async ({ headers }: AdminRequest) => {
    const format = chooseFormat(headers.accept);
    const { resourceMetrics } = await collect();
    return { type: contentTypes[format], body: formatMetrics(resourceMetrics, format) };
  };
  return {
    meter,
    routes: { routes: [{ method: "GET", path: "/metrics", answer: scrape }] },
    async close() {
      if (isGlobal) metrics.disable();
      for (const observation of observations) observation.close();
      await provider.shutdown();
    },
  };
}
