import { parseAddress } from "../core/address.ts";
import { printable } from "../core/discovery-error.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { isWeight } from "../core/weight.ts";
import { createLayout, type Layout, layoutNames, listSome, UnreadableValue } from "./layouts.ts";

/** A longer value is refused, in bytes: etcd itself takes 1.5 MiB. */
const maxValueBytes = 65_536;

/** What a key and its value are to a source. */
export interface ReadInstance {
  /** Undefined for a key that is not to be used. */
  readonly endpoint: Endpoint | undefined;
  /** What is wrong with the value, its shape in it but nothing of its content; there may be an endpoint all the same. */
  readonly problem: string | undefined;
}

/**
 * Reads an instance. `weight` and `zone` of the metadata become fields of the endpoint; the rest is kept as text. What it
 * returns satisfies the types, whatever was written. Never throws.
 *
 * @param id the key behind the prefix, which is the endpoint's identity
 * @param before the last good value of the key: it is used on when this one cannot be read, and its weight when this one has
 * none that is valid
 */
export function readInstance(
  layout: Layout,
  id: string,
  value: Uint8Array,
  before: Endpoint | undefined,
): ReadInstance {
  if (value.length > maxValueBytes && layout.name !== "key") {
    return { endpoint: before, problem: `its value has ${value.length} bytes, more than ${maxValueBytes}` };
  }
  if (id === "") return { endpoint: undefined, problem: "nothing follows the prefix in the key" };
  const text = Buffer.from(value).toString();
  try {
    const registered = layout.read(id, text);
    if (!registered) return { endpoint: undefined, problem: undefined };
    const { weight: written, zone, ...rest } = registered.metadata;
    const weight = typeof written === "string" && written.trim() !== "" ? Number(written) : (written ?? 1);
    const isValid = isWeight(weight);
    const endpoint: Endpoint = {
      id,
      addresses: [registered.address],
      weight: isValid ? weight : (before?.weight ?? 1),
      zone: typeof zone === "string" && zone !== "" ? zone : undefined,
      forZones: [],
      nodeName: undefined,
      metadata: Object.fromEntries(Object.entries(rest).map(([name, each]) => [name, asText(each)])),
    };
    if (isValid) return { endpoint, problem: undefined };
    const got = typeof weight === "number" && !Number.isNaN(weight) ? weight : describeType(written);
    return { endpoint, problem: `its weight must be a number from 0 to 2^32 - 1, got ${got}` };
  } catch (error) {
    // Any other error is a stack overflow, caused by JSON that is nested too deeply.
    const why = error instanceof UnreadableValue ? error.message : "it is nested too deeply";
    return { endpoint: before, problem: `${why}; ${describeValue(layout, id, text)}` };
  }
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return ""; // a stack overflow, caused by too many levels
  }
}

/** The shape of a value, and the layout that could read it. */
function describeValue(layout: Layout, id: string, text: string): string {
  const other = layoutNames.find(
    (name) => name !== layout.name && isReadable(createLayout({ layout: name }), id, text),
  );
  const hint = other === undefined ? "" : `, which layout=${other} reads`;
  if (layout.name === "key") return `the key has ${id.split("/").length} parts behind the prefix${hint}`;
  try {
    return `the value is ${describeShape(JSON.parse(text))}${hint}`;
  } catch {
    return `the value is ${describeText(text)}${hint}`;
  }
}

function isReadable(layout: Layout, id: string, text: string): boolean {
  try {
    return layout.read(id, text) !== undefined;
  } catch {
    return false;
  }
}

function describeShape(value: unknown): string {
  if (typeof value === "string") return describeText(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== "object" || value === null) return value === null ? "null" : `a ${typeof value}`;
  const fields = Object.entries(value).map(([name, each]) => `${printable(name, 32)}: ${describeType(each)}`);
  return `{${listSome(fields)}}`;
}

function describeType(value: unknown): string {
  return Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
}

function describeText(text: string): string {
  try {
    parseAddress(text.trim());
    return "an address";
  } catch {
    return text === "" ? "empty" : `text of ${text.length} characters${/:\d+\s*$/.test(text) ? "" : " without a port"}`;
  }
}
