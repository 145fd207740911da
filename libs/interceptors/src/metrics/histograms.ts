import type { Attributes, Histogram, Meter, MetricOptions } from "@opentelemetry/api";

/** What a histogram has recorded with some attributes. */
interface Series {
  readonly attributes: Attributes;
  readonly startTime: Time;
  /** One more than boundaries. */
  readonly counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

/** Seconds and nanoseconds since 1970. */
type Time = [number, number];

interface Definition {
  readonly name: string;
  readonly options: MetricOptions;
  readonly boundaries: readonly number[];
}

/** The buckets of OpenTelemetry's SDK for a histogram that advises none. */
const defaultBoundaries = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

/** As many series as the SDK has; with more, values go into one series, with the attribute `otel.metric.overflow`. */
const maxSeries = 2_000;
const overflow: Attributes = { "otel.metric.overflow": true };

const now = (): Time => {
  const ms = performance.timeOrigin + performance.now();
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
};

/**
 * A histogram with fixed buckets, that counts for itself. A series is found by the identity of its attributes, which the interceptors make
 * once, so that a recorded value costs no hash; attributes of another identity and the same content are the same series.
 */
export class AggregatedHistogram implements Histogram {
  readonly definition: Definition;
  readonly #byIdentity = new WeakMap<Attributes, Series>();
  readonly #byContent = new Map<string, Series>();

  constructor(name: string, options: MetricOptions = {}) {
    this.definition = { name, options, boundaries: options.advice?.explicitBucketBoundaries ?? defaultBoundaries };
  }

  record(value: number, attributes: Attributes = {}): void {
    if (!(value >= 0) || value === Number.POSITIVE_INFINITY) return; // as the SDK, which a clock that is set must not break
    const series = this.#byIdentity.get(attributes) ?? this.#find(attributes);
    const { counts } = series;
    const bucket = this.#bucketOf(value);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    series.count += 1;
    series.sum += value;
    if (value < series.min) series.min = value;
    if (value > series.max) series.max = value;
  }

  series(): readonly Series[] {
    return [...this.#byContent.values()];
  }

  /** The first boundary that is not less: upper bounds are inclusive. */
  #bucketOf(value: number): number {
    const { boundaries } = this.definition;
    let [low, high] = [0, boundaries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (boundaries[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #find(attributes: Attributes): Series {
    const series = this.#seriesOf(attributes);
    this.#byIdentity.set(attributes, series);
    return series;
  }

  #seriesOf(attributes: Attributes): Series {
    const key = JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#byContent.get(key);
    if (known) return known;
    if (this.#byContent.size >= maxSeries && attributes !== overflow) return this.#seriesOf(overflow);
    const counts = new Array<number>(this.definition.boundaries.length + 1).fill(0);
    const extremes = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    const series = { attributes: { ...attributes }, startTime: now(), counts, count: 0, sum: 0, ...extremes };
    this.#byContent.set(key, series);
    return series;
  }
}

/** A histogram as OpenTelemetry's SDK exports it. */
export interface HistogramData {
  /** Its name, unit and kind of values: 1, DOUBLE. */
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    readonly valueType: 1;
  };
  /** Its temporality: 1, CUMULATIVE. */
  readonly aggregationTemporality: 1;
  /** Its type: 0, HISTOGRAM. */
  readonly dataPointType: 0;
  /** One for each set of attributes. */
  readonly dataPoints: {
    readonly startTime: [seconds: number, nanoseconds: number];
    readonly endTime: [seconds: number, nanoseconds: number];
    readonly attributes: Attributes;
    readonly value: {
      readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
      readonly count: number;
      readonly sum: number;
      readonly min: number;
      readonly max: number;
    };
  }[];
}

/** A resource without attributes: a reader takes that of its meter provider. */
export interface NoResource {
  /** None. */
  readonly attributes: Attributes;
  /** The same. */
  merge(): NoResource;
  /** None. */
  getRawAttributes(): [];
}

/** What the histograms have recorded: a `MetricProducer` of OpenTelemetry's SDK. */
export interface HistogramProducer {
  /** Gives all that was recorded since the start; a reader calls it. It never rejects. */
  collect(): Promise<{
    resourceMetrics: {
      resource: NoResource;
      scopeMetrics: { scope: { name: string }; metrics: HistogramData[] }[];
    };
    errors: unknown[];
  }>;
}

/** Histograms that are aggregated here and not by the SDK. */
export interface Histograms {
  /** For the option `metricProducers` of each reader. */
  readonly producer: HistogramProducer;
  /** A meter whose histograms are aggregated here; all else is that of `meter`. */
  meter(meter: Meter): Meter;
}

const noResource: NoResource = { attributes: {}, merge: () => noResource, getRawAttributes: () => [] };

/**
 * Creates histograms that cost a recorded value a tenth of what those of OpenTelemetry's SDK cost, which hashes the attributes each time. They
 * have the same names, buckets and values, are cumulative, and go to the readers as a `MetricProducer`; views do not apply to them.
 *
 * ```ts
 * const histograms = createHistograms();
 * const reader = new PeriodicExportingMetricReader({ exporter, metricProducers: [histograms.producer] });
 * const provider = new MeterProvider({ readers: [reader] });
 * const meter = histograms.meter(provider.getMeter("@grpc-lb/interceptors"));
 * const interceptors = [createClientMetrics({ meter })];
 * ```
 */
export function createHistograms(): Histograms {
  const all = new Map<string, AggregatedHistogram>();
  const createHistogram = (name: string, options?: MetricOptions) => {
    const histogram = all.get(name) ?? new AggregatedHistogram(name, options);
    all.set(name, histogram);
    return histogram;
  };
  return {
    producer: {
      async collect() {
        const endTime = now();
        const metrics = [...all.values()].map((histogram) => describe(histogram, endTime));
        const used = metrics.filter(({ dataPoints }) => dataPoints.length > 0);
        const scopeMetrics = used.length > 0 ? [{ scope: { name: "@grpc-lb/interceptors" }, metrics: used }] : [];
        return { resourceMetrics: { resource: noResource, scopeMetrics }, errors: [] };
      },
    },
    meter: (meter) =>
      new Proxy(meter, {
        get(target, property) {
          if (property === "createHistogram") return createHistogram;
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
  };
}

function describe(histogram: AggregatedHistogram, endTime: Time): HistogramData {
  const { name, options, boundaries } = histogram.definition;
  return {
    descriptor: { name, description: options.description ?? "", unit: options.unit ?? "", valueType: 1 },
    aggregationTemporality: 1,
    dataPointType: 0,
    dataPoints: histogram.series().map(({ attributes, startTime, counts, count, sum, min, max }) => ({
      startTime,
      endTime,
      attributes,
      value: { buckets: { boundaries: [...boundaries], counts: [...counts] }, count, sum, min, max },
    })),
  };
}
