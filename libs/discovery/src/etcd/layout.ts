import type { Instance } from "../core/registration.ts";
import type { Address } from "../core/snapshot.ts";

/** What a value says of its instance. */
export interface Registered {
  readonly address: Address;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** How a registry lays its instances out in etcd. */
export interface Layout {
  /** What all keys of a service begin with, and no others; ends with a slash. */
  prefix(service: string): string;
  /** Reads a value; undefined for one that says that there is no instance. Throws a RangeError or SyntaxError for one that it cannot read. */
  read(value: string): Registered | undefined;
  /** The key behind the prefix, and the value, of an instance. */
  write(instance: Instance): { readonly key: string; readonly value: string };
}

/** @throws RangeError for what is no object */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new RangeError("it is no JSON object");
  return value as Readonly<Record<string, unknown>>;
}
