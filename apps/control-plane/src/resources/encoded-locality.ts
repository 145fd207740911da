import { LocalityLbEndpoints } from "@grpc-lb/protos/envoy/config/endpoint/v3";

/** What a locality of an assignment is made of. */
export interface LocalityParts {
  readonly zone: string;
  readonly subZone: string;
  readonly weight: number;
  readonly priority: number;
  /** Its endpoints, each as the field `lb_endpoints`. */
  readonly lbEndpoints: readonly Uint8Array[];
}

/** The field `endpoints` of a ClusterLoadAssignment: number 2, of a length that is given. */
const tag = (2 << 3) | 2;

/** A locality of an assignment, with endpoints that are encoded already. */
export class EncodedLocality implements LocalityParts {
  readonly zone: string;
  readonly subZone: string;
  readonly weight: number;
  readonly priority: number;
  readonly lbEndpoints: readonly Uint8Array[];
  #fields: readonly Uint8Array[] | undefined;

  constructor({ zone, subZone, weight, priority, lbEndpoints }: LocalityParts) {
    this.zone = zone;
    this.subZone = subZone;
    this.weight = weight;
    this.priority = priority;
    this.lbEndpoints = lbEndpoints;
  }

  /** The bytes that add it to an encoded ClusterLoadAssignment, in order. Fields of protobuf may stand in any order. */
  get bytes(): readonly Uint8Array[] {
    if (this.#fields) return this.#fields;
    const { zone, subZone, weight, priority, lbEndpoints } = this;
    const head = LocalityLbEndpoints.encode(
      LocalityLbEndpoints.fromPartial({
        locality: { region: "", zone, subZone },
        loadBalancingWeight: weight,
        priority,
      }),
    ).finish();
    const length = lbEndpoints.reduce((sum, field) => sum + field.length, head.length);
    this.#fields = [Uint8Array.from([tag, ...varint(length)]), head, ...lbEndpoints];
    return this.#fields;
  }
}

/** A number below 2^31 as protobuf writes it. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
