import { describeType, isPortNumber } from "@grpc-lb/core";
import type { Endpoint } from "./snapshot.ts";
import { isWeight, maxWeight } from "./weight.ts";

/**
 * Requires what the types promise of an endpoint: a source of others may be JavaScript, and a wrong endpoint would fail in a channel,
 * far from the source.
 *
 * @throws TypeError `endpoint "a": weight must be …`
 */
export function requireEndpoint(endpoint: Endpoint): void {
  if (!isObject(endpoint)) throw new TypeError(`an endpoint must be an object, got ${describeType(endpoint)}`);
  const { id, addresses, weight, forZones, metadata } = endpoint;
  if (typeof id !== "string" || id === "") throw new TypeError("an endpoint must have an id, a text that is not empty");
  if (!Array.isArray(addresses) || addresses.length === 0) {
    throw wrong(id, "addresses", "a list of at least one { host, port }", addresses);
  }
  for (const address of addresses) {
    if (!isObject(address)) throw wrong(id, "an address", "an object { host, port }", address);
    const { host, port } = address;
    if (typeof host !== "string" || host === "") throw wrong(id, "host", "a text that is not empty", host);
    if (!isPortNumber(port)) throw wrong(id, "port", "a number from 1 to 65535", port);
  }
  if (!isWeight(weight)) throw wrong(id, "weight", `a number from 0 to ${maxWeight}`, weight);
  if (!Array.isArray(forZones)) throw wrong(id, "forZones", "a list", forZones);
  if (!isObject(metadata)) throw wrong(id, "metadata", "an object", metadata);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") throw wrong(id, `metadata.${key}`, "a text", value);
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

const wrong = (id: string, field: string, must: string, value: unknown): TypeError =>
  new TypeError(`endpoint ${JSON.stringify(id)}: ${field} must be ${must}, got ${describe(value)}`);

function describe(value: unknown): string {
  if (Array.isArray(value) && value.length === 0) return "an empty list";
  return typeof value === "number" ? String(value) : describeType(value);
}
