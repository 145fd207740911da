import type { EndpointFacts } from "../../balancer/endpoint-info.ts";

/**
 * A field of an endpoint's metadata. Names come from configurations: `constructor`, which every object has, is no field, and a
 * source of somebody's own may hold what is no text.
 */
export function metadataText({ metadata }: EndpointFacts, name: string): string | undefined {
  const value: unknown = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
  return typeof value === "string" ? value : undefined;
}
