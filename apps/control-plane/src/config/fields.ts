import { messageOf, parseDuration } from "@grpc-lb/core";
import { describeKind, FieldError, type FieldPath, unknownField } from "@grpc-lb/discovery/file/api";

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The valid range of a number; `max` may be left out. */
export interface Range {
  readonly min: number;
  readonly max?: number;
}

/**
 * Reads an object of the configuration field by field. Absent fields and those that are null get a default. Fields that were not
 * read when `end` is called are an error. Every error is a FieldError that names the field by its path, what it must be and what it
 * is; texts are not repeated, except where one of a list of words was expected.
 */
export class Fields {
  readonly path: FieldPath;
  readonly #json: JsonObject;
  readonly #read = new Set<string>();

  constructor(json: unknown, path: FieldPath) {
    if (!isObject(json)) throw new FieldError(path, `must be an object, got ${describeKind(json)}`);
    this.#json = json;
    this.path = path;
  }

  /** The names of the fields that the object has. */
  get names(): readonly string[] {
    return Object.keys(this.#json).filter((name) => this.has(name));
  }

  has(name: string): boolean {
    return (this.#json[name] ?? undefined) !== undefined;
  }

  /** A whole number. */
  integer<T>(name: string, fallback: T, range: Range): number | T {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const isRight = typeof value === "number" && Number.isSafeInteger(value) && isWithin(value, range);
    if (!isRight) throw this.wrong(name, `must be a whole number ${describe(range)}, got ${show(value)}`);
    return value;
  }

  number<T>(name: string, fallback: T, range: Range): number | T {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    const isRight = typeof value === "number" && Number.isFinite(value) && isWithin(value, range);
    if (!isRight) throw this.wrong(name, `must be a number ${describe(range)}, got ${show(value)}`);
    return value;
  }

  /** A duration such as `300ms` or `5s`, in milliseconds. */
  duration<T>(name: string, fallback: T, range: Range): number | T {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (typeof value !== "string" && value !== 0) {
      throw this.wrong(name, `must be a duration such as 300ms, 5s or 2m, got ${show(value)}`);
    }
    let ms: number;
    try {
      ms = parseDuration(String(value));
    } catch (error) {
      throw this.wrong(name, messageOf(error));
    }
    if (!isWithin(ms, range)) throw this.wrong(name, `must be ${describe(range, "ms")}, got ${show(value)}`);
    return ms;
  }

  text<T>(name: string, fallback: T): string | T {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (typeof value !== "string" || value === "") {
      throw this.wrong(name, `must be text, got ${value === "" ? "an empty one" : describeKind(value)}`);
    }
    return value;
  }

  /** One of some words. */
  choice<const T extends string>(name: string, words: readonly T[], fallback: T): T {
    const value = this.#take(name) ?? fallback;
    const word = words.find((word) => word === value);
    if (word === undefined) throw this.wrong(name, `must be one of ${words.join(", ")}, got ${show(value)}`);
    return word;
  }

  /** Some of some words, each once. */
  choices<const T extends string>(name: string, words: readonly T[], fallback: readonly T[]): readonly T[] {
    if (!this.has(name)) return fallback;
    const chosen = this.list(name, (value, path) => {
      const word = words.find((word) => word === value);
      if (word === undefined) throw new FieldError(path, `must be one of ${words.join(", ")}, got ${show(value)}`);
      return word;
    });
    return [...new Set(chosen)];
  }

  /** A list of anything; empty when it is absent. */
  list<T>(name: string, read: (value: unknown, path: FieldPath) => T): readonly T[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value)) throw this.wrong(name, `must be a list, got ${describeKind(value)}`);
    return value.map((one, n) => read(one, [...this.path, name, n]));
  }

  /** An object with fields of its own; undefined when it is absent. */
  object<T>(name: string, read: (fields: Fields) => T): T | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : readObject(value, [...this.path, name], read);
  }

  /** The value as it is, to be read by the caller. */
  any(name: string): unknown {
    return this.#take(name);
  }

  /**
   * An object of entries whose names are the user's, in their order; undefined when it is absent.
   *
   * @param what the entries are, for the error: `services by name`
   */
  entries<T>(
    name: string,
    what: string,
    read: (key: string, value: unknown, path: FieldPath) => T,
  ): readonly T[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.wrong(name, `must be an object of ${what}, got ${describeKind(value)}`);
    return Object.entries(value).map(([key, one]) => read(key, one, [...this.path, name, key]));
  }

  wrong(name: string, why: string): FieldError {
    return new FieldError([...this.path, name], why);
  }

  /** @throws FieldError for a field that nothing has read: it names the one that was probably meant, or those there are */
  end(): void {
    for (const name of Object.keys(this.#json)) {
      if (this.#read.has(name) || this.#json[name] === undefined) continue;
      throw unknownField([...this.path, name], [...this.#read].sort());
    }
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#json[name] ?? undefined;
  }
}

/** Reads an object, all of whose fields `read` must take. */
export function readObject<T>(value: unknown, path: FieldPath, read: (fields: Fields) => T): T {
  const fields = new Fields(value, path);
  const result = read(fields);
  fields.end();
  return result;
}

const isWithin = (value: number, { min, max = Number.MAX_VALUE }: Range) => value >= min && value <= max;

function describe({ min, max }: Range, unit = ""): string {
  return max === undefined ? `of at least ${min}${unit}` : `from ${min}${unit} to ${max}${unit}`;
}

/** A value in few characters, for an error. A text is shown only if it looks like a word or a number: others may be secret. */
export function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string" && /^[\w.-]{0,40}$/.test(value)) return `"${value}"`;
  return describeKind(value);
}
