import { formatAddress, parseAddress } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { isWeight, maxWeight } from "../core/weight.ts";

/** What a file says. */
export interface FileContent {
  readonly endpoints: readonly Endpoint[];
  readonly serviceConfig: string | undefined;
}

/** Where in a value something stands: `["endpoints", 1, "weight"]`. */
export type FieldPath = readonly (string | number)[];

/** A field that cannot be as it is. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly path: FieldPath;

  constructor(path: FieldPath, why: string) {
    const field = path
      .map((part, n) => (typeof part === "number" ? `[${part}]` : n === 0 ? part : `.${part}`))
      .join("");
    super(field === "" ? why : `${field} ${why}`);
    this.path = path;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what JSON or YAML has become: a list of endpoints, or `{ endpoints, serviceConfig? }`.
 *
 * @throws FieldError that names the first field which is wrong
 */
export function readValue(value: unknown): FileContent {
  if (value === null || value === undefined) {
    throw new FieldError([], "there is nothing in it; an empty list is written []");
  }
  if (Array.isArray(value)) return { endpoints: readEndpoints(value, []), serviceConfig: undefined };
  const { endpoints, serviceConfig } = readFields(value, [], ["endpoints", "serviceConfig"], "a list of endpoints or");
  if (!Array.isArray(endpoints)) throw new FieldError(["endpoints"], `must be a list, got ${show(endpoints)}`);
  if (serviceConfig !== undefined && !isFields(serviceConfig)) {
    throw new FieldError(["serviceConfig"], `must be an object, got ${show(serviceConfig)}`);
  }
  return {
    endpoints: readEndpoints(endpoints, ["endpoints"]),
    serviceConfig: serviceConfig && writeConfig(serviceConfig),
  };
}

function writeConfig(serviceConfig: Fields): string {
  try {
    return JSON.stringify(serviceConfig);
  } catch {
    throw new FieldError(["serviceConfig"], "must not contain itself"); // by an alias of YAML
  }
}

function readEndpoints(values: readonly unknown[], path: FieldPath): Endpoint[] {
  const seen = new Map<string, number>();
  return values.map((value, n) => {
    const endpoint = readEndpoint(value, [...path, n]);
    const before = seen.get(endpoint.id);
    if (before !== undefined) {
      throw new FieldError(
        [...path, n, "address"],
        `must be another than that of entry ${before}, got "${endpoint.id}"`,
      );
    }
    seen.set(endpoint.id, n);
    return endpoint;
  });
}

function readEndpoint(value: unknown, path: FieldPath): Endpoint {
  const {
    address,
    weight = 1,
    zone,
    metadata = {},
  } = readFields(value, path, ["address", "weight", "zone", "metadata"]);
  if (typeof address !== "string") {
    throw new FieldError([...path, "address"], `must be host:port, an IPv6 host in brackets, got ${show(address)}`);
  }
  if (!isWeight(weight)) {
    throw new FieldError([...path, "weight"], `must be a number from 0 to ${maxWeight}, got ${show(weight)}`);
  }
  if (zone !== undefined && typeof zone !== "string") {
    throw new FieldError([...path, "zone"], `must be text, got ${show(zone)}`);
  }
  if (!isFields(metadata)) throw new FieldError([...path, "metadata"], `must be an object, got ${show(metadata)}`);
  for (const [name, text] of Object.entries(metadata)) {
    if (typeof text !== "string") throw new FieldError([...path, "metadata", name], `must be text, got ${show(text)}`);
  }
  const read = readAddress(address, [...path, "address"]);
  return {
    id: formatAddress(read),
    addresses: [read],
    weight,
    zone,
    forZones: [],
    nodeName: undefined,
    metadata: metadata as Readonly<Record<string, string>>,
  };
}

function readAddress(text: string, path: FieldPath) {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new FieldError(path, (error as Error).message); // which says what was expected and what was got
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object with these fields and none other. */
function readFields(value: unknown, path: FieldPath, known: readonly string[], or = ""): Fields {
  const expected = `${or} an object with ${known.join(", ")}`.trim();
  if (!isFields(value)) throw new FieldError(path, `must be ${expected}, got ${show(value)}`);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new FieldError([...path, unknown], `is unknown; there are ${known.join(", ")}`);
  return value;
}

/** A value in few words: a file may hold anything. */
function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
