import { messageOf, parseDuration } from "@grpc-lb/core";
import { isRegistered, type LoadBalancingConfig, type PolicyJson, parsePolicy } from "../grpc-js.ts";

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fields of Envoy's policies that have another name in gRPC's: https://github.com/grpc/proposal/blob/master/A42-xds-ring-hash-lb-policy.md. */
const envoyNames: Readonly<Record<string, string>> = {
  minimum_ring_size: "minRingSize",
  minimumRingSize: "minRingSize",
  maximum_ring_size: "maxRingSize",
  maximumRingSize: "maxRingSize",
  hash_balance_factor: "balanceFactor",
  hashBalanceFactor: "balanceFactor",
  slow_start_config: "slowStart",
  slowStartConfig: "slowStart",
  slow_start_window: "window",
  slowStartWindow: "window",
  healthy_panic_threshold: "panicThreshold",
  healthyPanicThreshold: "panicThreshold",
};

/** Fields of Envoy's policies that no policy here has, and what to use instead. */
const envoyOnly: Readonly<Record<string, string>> = {
  active_request_bias: "weights count in every comparison, without a bias",
  activeRequestBias: "weights count in every comparison, without a bias",
  hash_function: "the hash is XXH64",
  hashFunction: "the hash is XXH64",
  use_hostname_for_hashing: "an endpoint's metadata.hashKey is hashed if it is set",
  useHostnameForHashing: "an endpoint's metadata.hashKey is hashed if it is set",
};

/** The valid range of a number. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** Whether `min` itself is invalid. */
  readonly isMinExcluded?: boolean;
}

/**
 * Reads the JSON configuration of a policy field by field. A field may be written `choiceCount` or `choice_count`, as in protobuf's
 * JSON mapping (https://protobuf.dev/programming-guides/json/). A field that was not read when `end` is called is an error; the
 * mapping would ignore it.
 *
 * Every error is a RangeError that names the field, what it must be and what it is.
 */
export class Fields {
  readonly #json: JsonObject;
  readonly #path: string;
  readonly #read = new Set<string>();

  /** @param path the prefix of field names in messages: `slowStart.` */
  constructor(json: unknown, path = "") {
    if (!isObject(json))
      throw new RangeError(`${path.slice(0, -1) || "the configuration"} must be an object, got ${show(json)}`);
    this.#json = json;
    this.#path = path;
  }

  /** A number, or its text. @throws RangeError that names the field if it is neither, or out of bounds */
  number(name: string, fallback: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const number = toNumber(value);
    if (number === undefined || !isWithin(number, bounds))
      throw this.#wrong(name, `must be a number${describe(bounds)}`, value);
    return number;
  }

  /** A whole number, or its text. @throws RangeError as `number` */
  integer(name: string, fallback: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const number = toNumber(value);
    if (number === undefined || !Number.isSafeInteger(number) || !isWithin(number, bounds))
      throw this.#wrong(name, `must be an integer${describe(bounds)}`, value);
    return number;
  }

  /** A duration such as `10s` or `0.3s`, in milliseconds; also as grpc-js writes it, `{ "seconds": 10, "nanos": 0 }`. */
  duration(name: string, fallbackMs: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallbackMs;
    const must = `must be a duration such as 10s or 0.3s${describe(bounds, "ms")}`;
    const ms = toMilliseconds(value);
    if (ms === undefined || !isWithin(ms, bounds)) throw this.#wrong(name, must, value);
    return ms;
  }

  /** `true` or `false`. @throws RangeError that names the field */
  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") throw this.#wrong(name, "must be true or false", value);
    return value;
  }

  /** A text; undefined without the field. @throws RangeError that names the field */
  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") throw this.#wrong(name, "must be a non-empty string", value);
    return value;
  }

  /** One of some texts. @throws RangeError that lists them */
  choice<T extends string>(name: string, values: readonly T[], fallback: T): T {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (!values.includes(value as T)) throw this.#wrong(name, `must be one of ${values.join(", ")}`, value);
    return value as T;
  }

  /** An object of numbers. */
  numbers(name: string, bounds: Bounds = {}): ReadonlyMap<string, number> {
    const value = this.#take(name) ?? {};
    if (!isObject(value)) throw this.#wrong(name, "must be an object of numbers", value);
    const numbers = new Map<string, number>();
    for (const [key, given] of Object.entries(value)) {
      const number = toNumber(given);
      if (number === undefined || !isWithin(number, bounds)) {
        throw this.#wrong(`${name}["${key}"]`, `must be a number${describe(bounds)}`, given);
      }
      numbers.set(key, number);
    }
    return numbers;
  }

  /** An object with fields of its own; undefined when it is absent. */
  object<T>(name: string, read: (fields: Fields) => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const fields = new Fields(value, `${this.#path}${name}.`);
    const result = read(fields);
    fields.end();
    return result;
  }

  /** Like `policy`, without a default. */
  requiredPolicy(name: string): LoadBalancingConfig {
    if (this.#peek(name) === undefined) throw this.#wrong(name, 'must be a list of {"policy": {…}}', undefined);
    return this.policy(name, { round_robin: {} });
  }

  /** A list of policies: the first registered one counts (gRFC A24). */
  policy(name: string, fallback: PolicyJson): LoadBalancingConfig {
    const value = this.#take(name) ?? [fallback];
    const isList = Array.isArray(value) && value.every((entry) => isObject(entry) && Object.keys(entry).length === 1);
    if (!isList || value.length === 0) throw this.#wrong(name, 'must be a list of {"policy": {…}}', value);
    const known = value.find((entry) => isRegistered(Object.keys(entry)[0] ?? ""));
    const names = value.flatMap((entry) => Object.keys(entry)).join(", ");
    if (!known) throw new RangeError(`${this.#path}${name} must name a registered policy, got ${names}`);
    try {
      return parsePolicy(known);
    } catch (cause) {
      throw new RangeError(`${this.#path}${name}: ${messageOf(cause)}`, { cause });
    }
  }

  /** Call it after reading all fields. @throws RangeError when the JSON has a field that was not read */
  end(): void {
    const unknown = Object.keys(this.#json).find((name) => !this.#read.has(name));
    if (unknown === undefined) return;
    const known = [...this.#read].filter((name) => !name.includes("_")).sort();
    const alias = envoyNames[unknown];
    if (alias !== undefined && known.includes(alias)) {
      throw new RangeError(`unknown field ${this.#path}${unknown}; Envoy's ${unknown} is ${this.#path}${alias} here`);
    }
    const reason = Object.hasOwn(envoyOnly, unknown)
      ? `Envoy's ${unknown} does not exist here: ${envoyOnly[unknown]}; `
      : "";
    const fields = known.length === 0 ? "there are none" : `known fields: ${known.join(", ")}`;
    throw new RangeError(`unknown field ${this.#path}${unknown}; ${reason}${fields}`);
  }

  #peek(name: string): unknown {
    return this.#json[name] ?? this.#json[snakeCase(name)] ?? undefined;
  }

  #take(name: string): unknown {
    const snake = snakeCase(name);
    this.#read.add(name).add(snake);
    if (name !== snake && name in this.#json && snake in this.#json) {
      throw new RangeError(`${this.#path}${name} is given twice, as ${name} and as ${snake}`);
    }
    const value = this.#json[name] ?? this.#json[snake];
    return value === null ? undefined : value; // null means absent in protobuf's JSON
  }

  #wrong(name: string, must: string, value: unknown): RangeError {
    return new RangeError(`${this.#path}${name} ${must}, got ${show(value)}`);
  }
}

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A number, also as the string in which protobuf's JSON writes 64-bit integers; undefined for anything else. */
function toNumber(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(value);
  const number = isText ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

/** A duration in milliseconds; undefined for a value that is not a duration. */
function toMilliseconds(value: unknown): number | undefined {
  if (isObject(value)) {
    const { seconds = 0, nanos = 0, ...rest } = value;
    const [s, n] = [toNumber(seconds), toNumber(nanos)];
    if (s === undefined || n === undefined || Object.keys(rest).length > 0) return undefined;
    return Math.round(s * 1_000 + n / 1e6);
  }
  if (typeof value !== "string") return undefined;
  try {
    return parseDuration(value);
  } catch {
    return undefined;
  }
}

function isWithin(
  value: number,
  { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, isMinExcluded }: Bounds,
) {
  return value <= max && (isMinExcluded ? value > min : value >= min);
}

function describe({ min, max, isMinExcluded }: Bounds, unit = ""): string {
  if (min !== undefined && max !== undefined && !isMinExcluded) return ` from ${min}${unit} to ${max}${unit}`;
  if (min !== undefined && max !== undefined) return ` > ${min}${unit} and <= ${max}${unit}`;
  if (min !== undefined) return ` ${isMinExcluded ? ">" : ">="} ${min}${unit}`;
  return max === undefined ? "" : ` <= ${max}${unit}`;
}

/** Like JSON, but with NaN, Infinity and bigint, which a configuration that was not parsed from JSON may contain. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  return typeof value === "number" || typeof value === "bigint" ? String(value) : JSON.stringify(value);
}
