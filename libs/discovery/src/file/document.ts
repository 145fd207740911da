import type { Endpoint } from "../core/snapshot.ts";
import { checkNames, readEndpoints } from "./endpoint-list.ts";
import { isEnvoyEds, readEnvoyEds } from "./envoy-eds.ts";
import { describeKind, FieldError, type Fields, isFields } from "./fields.ts";

/** What a file contains. */
export interface FileContent {
  readonly endpoints: readonly Endpoint[];
  /** In JSON. */
  readonly serviceConfig: string | undefined;
}

/**
 * Reads the value of a JSON or YAML document: a list of endpoints or of Prometheus' file_sd, `{ endpoints, serviceConfig? }`, or
 * a ClusterLoadAssignment of Envoy. To be run by `inSlices`.
 *
 * @throws FieldError that names the first field that is not valid, and repeats values of endpoints alone
 */
export function* readDocument(value: unknown): Generator<void, FileContent> {
  if (value === null || value === undefined) {
    throw new FieldError([], "the file is empty; an empty list is written []");
  }
  if (Array.isArray(value)) return { endpoints: yield* readEndpoints(value, []), serviceConfig: undefined };
  if (isFields(value) && isEnvoyEds(value)) {
    return { endpoints: yield* readEnvoyEds(value), serviceConfig: undefined };
  }
  if (!isFields(value) || !("endpoints" in value || "serviceConfig" in value)) {
    const got = isFields(value) ? "an object without endpoints" : describeKind(value);
    throw new FieldError([], `must be a list of endpoints or an object with endpoints, serviceConfig, got ${got}`);
  }
  checkNames(value, [], ["endpoints", "serviceConfig"]);
  const { endpoints, serviceConfig } = value;
  if (!Array.isArray(endpoints)) {
    throw new FieldError(["endpoints"], `must be a list, got ${describeKind(endpoints)}`);
  }
  if (serviceConfig !== undefined && !isFields(serviceConfig)) {
    throw new FieldError(["serviceConfig"], `must be an object, got ${describeKind(serviceConfig)}`);
  }
  return {
    endpoints: yield* readEndpoints(endpoints, ["endpoints"]),
    serviceConfig: serviceConfig && writeConfig(serviceConfig),
  };
}

function writeConfig(serviceConfig: Fields): string {
  try {
    return JSON.stringify(serviceConfig);
  } catch {
    throw new FieldError(["serviceConfig"], "must not contain itself, or be nested thousands of levels deep");
  }
}
