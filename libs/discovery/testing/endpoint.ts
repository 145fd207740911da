import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../src/core/address.ts";
import type { Endpoint } from "../src/core/snapshot.ts";
import { isWeight } from "../src/core/weight.ts";

/** An endpoint at one address, `10.0.0.1:80` or `10.0.0.1` (port 80), which is its id unless `more` has another. */
export function endpointAt(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return {
    id: address,
    addresses: [parseAddress(address, 80)],
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
    ...more,
  };
}

/** Fails unless an endpoint satisfies its type and the rules of its fields, whatever bytes it was read from. */
export function assertValidEndpoint(endpoint: Endpoint): void {
  const { id, addresses, weight, zone, forZones, nodeName, metadata } = endpoint;
  const texts = [id, ...forZones, ...Object.values(metadata), zone ?? "", nodeName ?? ""];
  assert.ok(
    texts.every((text) => typeof text === "string"),
    `texts of ${JSON.stringify(endpoint)}`,
  );
  assert.ok(id !== "" && addresses.length > 0, `an id and an address in ${JSON.stringify(endpoint)}`);
  assert.ok(isWeight(weight), `weight ${weight}`);
  for (const address of addresses) assert.deepEqual(parseAddress(formatAddress(address)), address);
}
