import { nearestWord } from "@grpc-lb/core";

/** A path in a document: `["endpoints", 1, "weight"]`. */
export type FieldPath = readonly (string | number)[];

/** A field that is not valid. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly path: FieldPath;

  constructor(path: FieldPath, why: string) {
    const field = path
      .map((part, n) => (typeof part === "number" ? `[${part}]` : n === 0 ? cut(part) : `.${cut(part)}`))
      .join("");
    super(field === "" ? why : `${field} ${why}`);
    this.path = path;
  }
}

/**
 * The error of a field that is not known: it names the one that was probably meant, or all that there are.
 *
 * @param path that of the field
 */
export function unknownField(path: FieldPath, known: readonly string[]): FieldError {
  const meant = nearestWord(String(path.at(-1)), known);
  const names = known.length === 0 ? "none" : known.join(", ");
  return new FieldError(path, `is unknown; ${meant ? `did you mean ${meant}?` : `there are ${names}`}`);
}

/** Makes the error of a name that an object has twice, from the path of that name. */
export type NameTwice = (path: FieldPath) => FieldError;

/** It does not repeat the name, which may be anything where the text is not what it should be. */
export const hiddenNameTwice: NameTwice = (path) =>
  new FieldError(path.slice(0, -1), path.length === 1 ? "a name is given twice" : "has a name twice");

/** For files whose names are shown in other errors, too. */
export const shownNameTwice: NameTwice = (path) => new FieldError(path, "is given twice");

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The kind of a value, without the value: the file may not be one of endpoints at all, and its content may be secret.
 */
export function describeKind(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

/** A value of a field of an endpoint, which may be repeated, in few characters. */
export function show(value: unknown): string {
  if (typeof value === "object" || value === undefined) return describeKind(value);
  if (typeof value !== "string") return cut(String(value));
  // What precedes an @ may be a user and a password.
  return cut(JSON.stringify(value.replace(/^.*(?:@|%(?:25)*40)/is, "…@")));
}

const cut = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
