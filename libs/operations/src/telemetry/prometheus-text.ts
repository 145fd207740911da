import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type MetricData, type ResourceMetrics } from "@opentelemetry/sdk-metrics";

/** The text formats of Prometheus: its own, and OpenMetrics. */
export type MetricsFormat = "prometheus" | "openmetrics";

/** The content type of each format. */
export const contentTypes: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** A metric with all its samples, by the name that its samples begin with. */
interface Family {
  readonly type: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly help: string;
  readonly samples: string[];
}

/**
 * Writes what OpenTelemetry's SDK has collected as Prometheus reads it: names, units and `target_info` by OpenTelemetry's conventions
 * (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics), without labels for the scope. A metric of the
 * same name and another type is left out: neither format permits it.
 */
export function formatMetrics({ resource, scopeMetrics }: ResourceMetrics, format: MetricsFormat): string {
  const families = new Map<string, Family>();
  for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
    const type = typeOf(metric);
    if (!type || metric.dataPoints.length === 0) continue;
    const { description: help, unit } = metric.descriptor;
    const name = familyName(metric.descriptor.name, unitWord(unit, type), type);
    const family = families.get(name) ?? { type, unit: unitWord(unit, type), help, samples: [] };
    if (family.type !== type) continue;
    families.set(name, family);
    writeSamples(family.samples, name, metric, format);
  }
  const blocks = [...families].map(([name, family]) => writeFamily(name, family, format));
  return `${targetInfo(resource.attributes, format)}${blocks.join("")}${format === "openmetrics" ? "# EOF\n" : ""}`;
}

/** Undefined for an exponential histogram, which the text formats do not have. */
function typeOf(metric: MetricData): Family["type"] | undefined {
  switch (metric.dataPointType) {
    case DataPointType.SUM:
      return metric.isMonotonic ? "counter" : "gauge";
    case DataPointType.GAUGE:
      return "gauge";
    case DataPointType.HISTOGRAM:
      return "histogram";
    default:
      return undefined;
  }
}

const unitWords: Readonly<Record<string, string>> = { s: "seconds", ms: "milliseconds", By: "bytes", "%": "percent" };

/** `seconds` of `s`; none for what is only counted, such as `{call}`. */
function unitWord(unit: string, type: Family["type"]): string {
  if (unit === "1") return type === "gauge" ? "ratio" : "";
  const plain = unit.replace(/\{[^}]*\}/g, "");
  return unitWords[plain] ?? sanitize(plain);
}

const sanitize = (name: string): string => name.replace(/[^a-zA-Z0-9_]+/g, "_").replace(/^(?=\d)/, "_");

function familyName(name: string, unit: string, type: Family["type"]): string {
  const plain = type === "counter" ? sanitize(name).replace(/_total$/, "") : sanitize(name);
  return unit === "" || plain.endsWith(`_${unit}`) ? plain : `${plain}_${unit}`;
}

function writeSamples(samples: string[], name: string, metric: MetricData, format: MetricsFormat): void {
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    for (const { attributes, value } of metric.dataPoints) {
      const labels = labelsOf(attributes);
      const { boundaries, counts } = value.buckets;
      let count = 0;
      for (const [n, boundary] of [...boundaries, Number.POSITIVE_INFINITY].entries()) {
        count += counts[n] ?? 0;
        samples.push(`${name}_bucket${braces([...labels, `le="${number(boundary, format)}"`])} ${count}\n`);
      }
      samples.push(`${name}_sum${braces(labels)} ${number(value.sum ?? 0)}\n`);
      samples.push(`${name}_count${braces(labels)} ${value.count}\n`);
    }
    return;
  }
  const suffix = metric.dataPointType === DataPointType.SUM && metric.isMonotonic ? "_total" : "";
  for (const { attributes, value } of metric.dataPoints) {
    samples.push(`${name}${suffix}${braces(labelsOf(attributes))} ${number(value as number)}\n`);
  }
}

function writeFamily(name: string, { type, unit, help, samples }: Family, format: MetricsFormat): string {
  const shown = format === "prometheus" && type === "counter" ? `${name}_total` : name;
  const unitLine = format === "openmetrics" && unit !== "" ? `# UNIT ${shown} ${unit}\n` : "";
  const helpLine = help === "" ? "" : `# HELP ${shown} ${escapeHelp(help, format)}\n`;
  return `# TYPE ${shown} ${type}\n${unitLine}${helpLine}${samples.join("")}`;
}

/** What the metrics are of. In the older format it is a gauge. */
function targetInfo(attributes: Attributes, format: MetricsFormat): string {
  const sample = `target_info${braces(labelsOf(attributes))} 1\n`;
  const [name, type] = format === "openmetrics" ? ["target", "info"] : ["target_info", "gauge"];
  return `# TYPE ${name} ${type}\n# HELP ${name} Target metadata\n${sample}`;
}

/**
 * Attributes whose names are the same label have one, with all of their values: a label that is there twice makes the whole scrape
 * invalid.
 */
function labelsOf(attributes: Attributes): string[] {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    const label = sanitize(name);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const before = values.get(label);
    values.set(label, before === undefined ? text : `${before};${text}`);
  }
  return [...values].map(([label, text]) => `${label}="${escapeLabel(text)}"`);
}

const braces = (labels: readonly string[]): string => (labels.length === 0 ? "" : `{${labels.join(",")}}`);

/** With a format it is the bound of a bucket, which OpenMetrics writes as a decimal: `1.0`. */
function number(value: number, format: MetricsFormat = "prometheus"): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return format === "openmetrics" && Number.isInteger(value) ? `${value}.0` : String(value);
}

const escapeLabel = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

const escapeHelp = (text: string, format: MetricsFormat): string =>
  format === "openmetrics" ? escapeLabel(text) : text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
