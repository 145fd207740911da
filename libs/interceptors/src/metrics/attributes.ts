import { status } from "@grpc/grpc-js";
import type { Attributes, Meter } from "@opentelemetry/api";

/** What a method has in its metrics: its starts, and the attributes of a start and of an end by status, which are made once. */
export class MethodSeries {
  readonly attributes: Attributes;
  starts = 0;
  readonly #ended: Attributes[] = [];

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }

  /** @param code as a peer sent it: any number that gRPC does not define counts as UNKNOWN */
  ended(code: status): Attributes {
    const known = this.#ended[code];
    if (known) return known;
    const name = status[code];
    if (name === undefined) return this.ended(status.UNKNOWN);
    const attributes = { ...this.attributes, "grpc.status": name };
    this.#ended[code] = attributes;
    return attributes;
  }
}

/**
 * Creates a counter of starts. The series count for themselves, and the counter reads them when metrics are collected: a recorded value costs
 * OpenTelemetry's SDK 0.6 µs.
 *
 * @returns adds a series
 */
export function createStartCounter(
  meter: Meter,
  name: string,
  description: string,
  unit: string,
): (series: MethodSeries) => void {
  const all: MethodSeries[] = [];
  meter.createObservableCounter(name, { description, unit }).addCallback((result) => {
    for (const { starts, attributes } of all) if (starts > 0) result.observe(starts, attributes);
  });
  return (series) => {
    all.push(series);
  };
}

/** The value of `grpc.method`: `pod.v1.PodService/GetPod`. */
export const methodName = (path: string): string => path.slice(1);
