import { type Endpoint, formatAddress } from "@grpc-lb/discovery";

/** How many sets of endpoints are kept: a call may end some time after its endpoint has left. */
const keptSets = 10;

type Endpoints = readonly Endpoint[];

/** Filled with the first look-up in a set. All channels of a target have the same sets. */
const indices = new WeakMap<Endpoints, ReadonlyMap<string, Endpoint>>();

/** The last sets of endpoints of a channel, in which the endpoint of an address is found. */
export class EndpointHistory {
  readonly #sets: Endpoints[] = [];

  /** Adds a set, unless it is the newest already. */
  add(endpoints: Endpoints): void {
    if (this.#sets[0] === endpoints) return;
    this.#sets.unshift(endpoints);
    this.#sets.length = Math.min(this.#sets.length, keptSets);
  }

  /** @param address `host:port`; IPv6 in brackets. @returns the latest endpoint that had it */
  find(address: string): Endpoint | undefined {
    for (const endpoints of this.#sets) {
      const found = indexOf(endpoints).get(address);
      if (found) return found;
    }
    return undefined;
  }
}

function indexOf(endpoints: Endpoints): ReadonlyMap<string, Endpoint> {
  let index = indices.get(endpoints);
  if (!index) {
    const entries = endpoints.flatMap((endpoint) =>
      endpoint.addresses.map((address) => [formatAddress(address), endpoint] as const),
    );
    index = new Map(entries);
    indices.set(endpoints, index);
  }
  return index;
}
