import { Fields } from "./fields.ts";

const percent = { min: 0, max: 100 };

/**
 * Reads the JSON of gRFC A50 (camelCase, durations such as "10s", numbers as strings), of which grpc-js takes only its own form, and
 * reports an invalid child policy with its field.
 *
 * @returns the configuration as grpc-js's own parser takes it; defaults are left to it
 */
export function readOutlierDetection(json: unknown): object {
  const fields = new Fields(json);
  const duration = (name: string) => toDuration(fields.duration(name, -1, { min: 0 }));
  const result = {
    interval: duration("interval"),
    base_ejection_time: duration("baseEjectionTime"),
    max_ejection_time: duration("maxEjectionTime"),
    max_ejection_percent: optional(fields.number("maxEjectionPercent", -1, percent)),
    success_rate_ejection: fields.object("successRateEjection", (part) =>
      defined({
        stdev_factor: optional(part.number("stdevFactor", -1, { min: 0 })),
        enforcement_percentage: optional(part.number("enforcementPercentage", -1, percent)),
        minimum_hosts: optional(part.integer("minimumHosts", -1, { min: 0 })),
        request_volume: optional(part.integer("requestVolume", -1, { min: 0 })),
      }),
    ),
    failure_percentage_ejection: fields.object("failurePercentageEjection", (part) =>
      defined({
        threshold: optional(part.number("threshold", -1, percent)),
        enforcement_percentage: optional(part.number("enforcementPercentage", -1, percent)),
        minimum_hosts: optional(part.integer("minimumHosts", -1, { min: 0 })),
        request_volume: optional(part.integer("requestVolume", -1, { min: 0 })),
      }),
    ),
    child_policy: [fields.requiredPolicy("childPolicy").toJsonObject()],
  };
  fields.end();
  return defined(result);
}

const optional = (value: number) => (value === -1 ? undefined : value);

const toDuration = (ms: number) =>
  ms === -1 ? undefined : { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1e6 };

/** grpc-js merges these over its defaults: an undefined field would erase one. */
function defined(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
