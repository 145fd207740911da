import type { Metadata } from "@grpc-lb/protos/envoy/config/core/v3";
import { printable } from "../core/discovery-error.ts";

/** The filter of our control plane: what the source of an endpoint knew of it, by the names that it has there. */
const own = "grpc-lb";
/** The most entries of one endpoint. */
const maxEntries = 32;
/** Of a name or a value, in characters. */
const maxLength = 256;

/**
 * The metadata of an endpoint as text: `filter_metadata: { "envoy.lb": { version: "v2" } }` is `envoy.lb.version: v2`. Texts, numbers and
 * booleans are kept, the first 32; lists and objects are left out. The entries of our control plane have no prefix.
 */
export function readMetadata(metadata: Metadata | undefined): Readonly<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const [filter, values] of Object.entries(metadata?.filterMetadata ?? {})) {
    for (const [name, value] of Object.entries(values ?? {})) {
      if (!["string", "number", "boolean"].includes(typeof value)) continue;
      if (entries.length === maxEntries) return Object.fromEntries(entries);
      const full = filter === own ? name : `${filter}.${name}`;
      entries.push([printable(full, maxLength), printable(String(value), maxLength)]);
    }
  }
  return Object.fromEntries(entries);
}
