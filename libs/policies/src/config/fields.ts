import { messageOf, parseDuration } from "@grpc-lb/core";
import { isRegistered, type LoadBalancingConfig, type PolicyJson, parsePolicy } from "../grpc-js.ts";

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

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

  number(name: string, fallback: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const must = `must be a number${describe(bounds)}`;
    if (typeof value !== "number" || !Number.isFinite(value) || !isWithin(value, bounds))
      throw this.#wrong(name, must, value);
    return value;
  }

  integer(name: string, fallback: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const must = `must be an integer${describe(bounds)}`;
    if (!Number.isSafeInteger(value) || !isWithin(value as number, bounds)) throw this.#wrong(name, must, value);
    return value as number;
  }

  /** A duration such as `10s` or `300ms`, in milliseconds. */
  duration(name: string, fallbackMs: number, bounds: Bounds = {}): number {
    const value = this.#take(name);
    if (value === undefined) return fallbackMs;
    const must = `must be a duration such as 10s or 0.3s${describe(bounds, "ms")}`;
    let ms: number;
    try {
      ms = parseDuration(String(value));
    } catch {
      throw this.#wrong(name, must, value);
    }
    if (typeof value !== "string" || !isWithin(ms, bounds)) throw this.#wrong(name, must, value);
    return ms;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") throw this.#wrong(name, "must be true or false", value);
    return value;
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") throw this.#wrong(name, "must be a non-empty string", value);
    return value;
  }

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
    for (const [key, number] of Object.entries(value)) {
      if (typeof number !== "number" || !Number.isFinite(number) || !isWithin(number, bounds)) {
        throw this.#wrong(`${name}["${key}"]`, `must be a number${describe(bounds)}`, number);
      }
    }
    return new Map(Object.entries(value) as [string, number][]);
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
    const fields = known.length === 0 ? "there are none" : known.join(", ");
    throw new RangeError(`unknown field ${this.#path}${unknown}; known fields: ${fields}`);
  }

  #take(name: string): unknown {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
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
