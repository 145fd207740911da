import type { MetricsFormat } from "./prometheus-text.ts";

/**
 * Chooses a format by the header `Accept` of a scrape: the one with the highest `q`; OpenMetrics before Prometheus where both have the
 * same. Prometheus's own for everything else, as other exporters do: a person with a browser has text.
 */
export function chooseFormat(accept: string | undefined): MetricsFormat {
  let chosen: { readonly format: MetricsFormat; readonly weight: number } = { format: "prometheus", weight: 0 };
  for (const range of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const value = (name: string) => parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    const format = formatOf(type, value("version"));
    const weight = Number(value("q") ?? 1);
    if (!format || !(weight > 0)) continue;
    const isBetter = weight > chosen.weight || (weight === chosen.weight && format === "openmetrics");
    if (isBetter) chosen = { format, weight };
  }
  return chosen.format;
}

function formatOf(type: string, version: string | undefined): MetricsFormat | undefined {
  if (type === "application/openmetrics-text") {
    return version === undefined || version.startsWith("1.") ? "openmetrics" : undefined;
  }
  return ["text/plain", "text/*", "*/*"].includes(type) ? "prometheus" : undefined;
}
