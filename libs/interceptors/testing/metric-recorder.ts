import type { Attributes, Meter } from "@opentelemetry/api";
import { DataPointType, MeterProvider, MetricReader, type ResourceMetrics } from "@opentelemetry/sdk-metrics";

/** What a metric has recorded with some attributes: a counter's or gauge's value, or the count and sum of a histogram. */
export interface Recorded {
  readonly attributes: Attributes;
  readonly value: number;
  readonly count: number;
  readonly buckets: readonly number[];
}

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A meter of OpenTelemetry's SDK, and what was recorded with it. */
export class MetricRecorder {
  readonly meter: Meter;
  readonly #reader = new ManualReader();

  constructor() {
    this.meter = new MeterProvider({ readers: [this.#reader] }).getMeter("test");
  }

  /** All that was recorded, by the metric's name. */
  async collect(): Promise<ReadonlyMap<string, readonly Recorded[]>> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    if (errors.length > 0) throw errors[0];
    return read(resourceMetrics);
  }

  /** What a metric has recorded. */
  async points(name: string): Promise<readonly Recorded[]> {
    return (await this.collect()).get(name) ?? [];
  }
}

function read({ scopeMetrics }: ResourceMetrics): ReadonlyMap<string, readonly Recorded[]> {
  const metrics = scopeMetrics.flatMap(({ metrics }) => metrics);
  return new Map(
    metrics.map((metric) => [
      metric.descriptor.name,
      metric.dataPointType === DataPointType.HISTOGRAM
        ? metric.dataPoints.map(({ attributes, value }) => ({
            attributes,
            value: value.sum ?? 0,
            count: value.count,
            buckets: value.buckets.boundaries,
          }))
        : metric.dataPoints.map(({ attributes, value }) => ({
            attributes,
            value: value as number,
            count: 1,
            buckets: [],
          })),
    ]),
  );
}
