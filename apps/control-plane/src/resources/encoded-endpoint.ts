import { isIP } from "node:net";
import { type Address, type Endpoint, formatAddress } from "@grpc-lb/discovery";
import { HealthStatus } from "@grpc-lb/protos/envoy/config/core/v3";
import { LbEndpoint, LocalityLbEndpoints } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { EncodedLocality } from "./encoded-locality.ts";

/** As `@grpc-lb/discovery/xds` reads it. */
const metadataFilter = "grpc-lb";

interface Encoding {
  readonly weight: number;
  readonly isDescribed: boolean;
  readonly field: Uint8Array;
}

/** By the object of discovery, which is the same for an endpoint that did not change. */
const known = new WeakMap<Endpoint, EncodedEndpoint>();

/** An endpoint as xDS has it. What is encoded of it is kept, so that a change of a set encodes what has changed. */
export class EncodedEndpoint {
  readonly endpoint: Endpoint;
  /** Those that xDS clients take: IP addresses. */
  readonly addresses: readonly Address[];
  /** The same as text. */
  readonly keys: readonly string[];
  /** The latest two: clients of gRPC and others may need different ones. */
  #encodings: readonly Encoding[] = [];
  #alone: EncodedLocality | undefined;

  private constructor(endpoint: Endpoint, addresses: readonly Address[]) {
    this.endpoint = endpoint;
    this.addresses = addresses;
    this.keys = addresses.map(formatAddress);
  }

  /** The endpoint with all of its IP addresses. */
  static of(endpoint: Endpoint): EncodedEndpoint {
    const before = known.get(endpoint);
    if (before) return before;
    const addresses = endpoint.addresses.filter(({ host }) => isIP(host) !== 0);
    const encoded = new EncodedEndpoint(endpoint, addresses);
    known.set(endpoint, encoded);
    return encoded;
  }

  /**
   * Takes its addresses.
   *
   * @param taken those of other endpoints; it gets those of this one
   * @returns the endpoint with those that were free; undefined if there are none
   */
  take(taken: Set<string>): EncodedEndpoint | undefined {
    const { addresses, keys } = this;
    const free: Address[] = [];
    for (let n = 0; n < keys.length; n++) {
      const { size } = taken;
      taken.add(keys[n] as string);
      if (taken.size > size) free.push(addresses[n] as Address);
    }
    if (free.length === 0) return undefined;
    return free.length === keys.length ? this : new EncodedEndpoint(this.endpoint, free);
  }

  /**
   * The field `lb_endpoints` of a locality with this endpoint.
   *
   * @param isDescribed whether it has what the source knows of the endpoint as metadata
   */
  encode(weight: number, isDescribed: boolean): Uint8Array {
    const before = this.#encodings.find((one) => one.weight === weight && one.isDescribed === isDescribed);
    if (before) return before.field;
    const lbEndpoint = buildEndpoint(this.endpoint, this.addresses, weight, isDescribed);
    const field = LocalityLbEndpoints.encode(LocalityLbEndpoints.fromPartial({ lbEndpoints: [lbEndpoint] })).finish();
    this.#encodings = [{ weight, isDescribed, field }, ...this.#encodings.slice(0, 1)];
    return field;
  }

  /** A locality of this endpoint alone, which has its first address as the sub-zone. */
  encodeAlone(place: { readonly zone: string; readonly weight: number; readonly priority: number }): EncodedLocality {
    const { zone, weight, priority } = place;
    const before = this.#alone;
    if (before?.zone === zone && before.weight === weight && before.priority === priority) return before;
    const subZone = this.keys[0] ?? "";
    this.#alone = new EncodedLocality({ zone, subZone, weight, priority, lbEndpoints: [this.encode(1, false)] });
    return this.#alone;
  }
}

function buildEndpoint(
  endpoint: Endpoint,
  addresses: readonly Address[],
  loadBalancingWeight: number,
  isDescribed: boolean,
): LbEndpoint {
  const [first, ...others] = addresses.map(({ host, port }) => ({
    address: {
      $case: "socketAddress",
      value: { address: host, portSpecifier: { $case: "portValue", value: port } },
    } as const,
  }));
  return LbEndpoint.fromPartial({
    hostIdentifier: {
      $case: "endpoint",
      value: { ...(first && { address: first }), additionalAddresses: others.map((address) => ({ address })) },
    },
    healthStatus: HealthStatus.HEALTHY,
    loadBalancingWeight,
    ...(isDescribed && { metadata: buildMetadata(endpoint) }),
  });
}

function buildMetadata({ metadata, nodeName, forZones }: Endpoint) {
  const entries = {
    ...metadata,
    ...(nodeName !== undefined && { nodeName }),
    ...(forZones.length > 0 && { forZones: forZones.join() }),
  };
  return Object.keys(entries).length === 0 ? undefined : { filterMetadata: { [metadataFilter]: entries } };
}
