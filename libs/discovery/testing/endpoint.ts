import { parseAddress } from "../src/core/address.ts";
import type { Endpoint } from "../src/core/snapshot.ts";

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
