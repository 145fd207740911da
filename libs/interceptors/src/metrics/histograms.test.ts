import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { type Attributes, createNoopMeter, type Meter } from "@opentelemetry/api";
import { type HistogramMetricData, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { createHistograms } from "./histograms.ts";
import { latency } from "./instruments.ts";

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Times differ from run to run. */
function withoutTimes({ descriptor, dataPoints, ...rest }: HistogramMetricData) {
  const { name, description, unit } = descriptor;
  return {
    ...{ name, description, unit },
    ...rest,
    points: dataPoints.map(({ attributes, value }) => ({ attributes, value })),
  };
}

async function collect(reader: MetricReader) {
  const { resourceMetrics, errors } = await reader.collect();
  assert.deepEqual(errors, []);
  return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics) as HistogramMetricData[];
}

test("a reader gets what the SDK's own histograms give, whatever is recorded", async () => {
  const histograms = createHistograms();
  const ours = new ManualReader({ metricProducers: [histograms.producer] });
  const sdk = new ManualReader();
  const meters: Meter[] = [
    histograms.meter(new MeterProvider({ readers: [ours] }).getMeter("a")),
    new MeterProvider({ readers: [sdk] }).getMeter("a"),
  ];
  const instruments = meters.map((meter) => ({
    duration: meter.createHistogram("duration", latency("Time")),
    size: meter.createHistogram("size"),
  }));
  const random = createRandom(7);
  const series: readonly Attributes[] = [{ a: "x", b: 1 }, { b: 1, a: "x" }, { a: "y" }, {}];
  const values = [0, 0.00001, 0.0000100001, 100, 100.5, Number.NaN, -1, Number.POSITIVE_INFINITY];
  for (let n = 0; n < 2_000; n++) {
    const value = values[n] ?? 10 ** (random() * 8 - 6);
    const attributes = series[n % series.length];
    if (!Number.isFinite(value)) continue; // the SDK makes the sum of a series useless for ever
    for (const { duration, size } of instruments) {
      duration.record(value, attributes);
      size.record(value * 100, n % 2 === 0 ? attributes : { ...attributes }); // also of another identity
    }
  }
  assert.deepEqual((await collect(ours)).map(withoutTimes), (await collect(sdk)).map(withoutTimes));
});

test("values that are no amounts are dropped, and too many series become one", async () => {
  const histograms = createHistograms();
  const histogram = histograms.meter(createNoopMeter()).createHistogram("a");
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) histogram.record(value);
  for (let n = 0; n < 2_500; n++) histogram.record(1, { n });
  const { resourceMetrics } = await histograms.producer.collect();
  const [point] = resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints.slice(-1) ?? [];
  assert.deepEqual([point?.attributes, point?.value.count], [{ "otel.metric.overflow": true }, 500]);
});
