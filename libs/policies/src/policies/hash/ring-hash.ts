import type { Child } from "../../balancer/child.ts";
import type { Policy } from "../../balancer/policy.ts";
import { parseWeightConfig, type WeightConfig } from "../weights/weights.ts";
import type { KeyedMember } from "./key-order.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { HashRing, type RingSizes } from "./ring.ts";
import { flagsOf, TableCache, without } from "./table-cache.ts";

export interface RingHashConfig extends WeightConfig, KeyConfig {
  /** Default: 1024. */
  readonly minRingSize: number;
  /** Default: 4096. */
  readonly maxRingSize: number;
  /**
   * The number of entries of the endpoint with the smallest weight, instead of the two sizes. Halved until the ring has at most
   * 65 536 entries. Default: undefined, the sizes apply.
   */
  readonly entriesPerEndpoint: number | undefined;
}

/** The limit of the client on both sizes; greater ones count as this (gRFC A42). */
const ringSizeCap = 4096;
/** The greatest valid size (gRFC A42). */
const largestRing = 8 * 1024 * 1024;
/** Such a ring takes 0.1 s and 8 MB to build, and all calls wait for it. */
const largestExactRing = 65_536;

/**
 * `ring_hash` (gRFC A42, A76): calls with the same key go to the same endpoint, and when endpoints come or go only their own keys
 * move. The ring is the one of the other gRPC languages (ketama with XXH64 of `address_i`), so that clients of all languages
 * agree.
 *
 * With the sizes of A42 each endpoint gets more entries the fewer endpoints there are, so that an endpoint that leaves moves more
 * keys than its own (of ten endpoints 16 % instead of 10 %). With `entriesPerEndpoint` only its own keys move, and clients of
 * other languages do not agree.
 *
 * Unlike A42, all endpoints are kept connected, and a key does not wait for its endpoint's connection: while that endpoint is not
 * READY its keys go to the next ones on the ring. With very many endpoints put `subset` in front.
 */
export const ringHash: Policy<RingHashConfig, undefined> = {
  name: "ring_hash",
  parseConfig: (fields) => {
    const minRingSize = fields.integer("minRingSize", 1024, { min: 1, max: largestRing });
    const maxRingSize = fields.integer("maxRingSize", 4096, { min: 1, max: largestRing });
    const entriesPerEndpoint = fields.integer("entriesPerEndpoint", 0, { min: 1, max: ringSizeCap });
    if (minRingSize > maxRingSize) {
      throw new RangeError(`minRingSize must be <= maxRingSize, got ${minRingSize} and ${maxRingSize}`);
    }
    return {
      minRingSize: Math.min(minRingSize, ringSizeCap),
      maxRingSize: Math.min(maxRingSize, ringSizeCap),
      entriesPerEndpoint: entriesPerEndpoint === 0 ? undefined : entriesPerEndpoint,
      ...parseKeyConfig(fields, "random"),
      ...parseWeightConfig(fields, { hasSlowStart: false }),
    };
  },
  createInstance: ({ random }) => {
    const rings = new TableCache((members, config: RingHashConfig) => new HashRing(members, sizesOf(members, config)));
    return {
      createEndpointState: () => undefined,
      createPicker: ({ children, ready, config }) => {
        const isReady = flagsOf(children, ready);
        const hashOf = createRequestHash(config, random);
        let ring: HashRing | undefined;
        return (args, avoided) => {
          ring ??= rings.get(children, ready, config);
          return (children[ring.choose(hashOf(args), without(isReady, avoided))] ?? ready[0]) as Child<undefined>;
        };
      },
    };
  },
};

/** The bounds on the size of the ring of these members. */
export function sizesOf(
  members: readonly KeyedMember[],
  config: Pick<RingHashConfig, "minRingSize" | "maxRingSize" | "entriesPerEndpoint">,
): RingSizes {
  const { minRingSize, maxRingSize, entriesPerEndpoint } = config;
  if (entriesPerEndpoint === undefined) return { minSize: minRingSize, maxSize: maxRingSize };
  const weights = members.map(({ weight }) => weight).filter((weight) => weight > 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const wanted = (total / weights.reduce((a, b) => Math.min(a, b))) * entriesPerEndpoint;
  // Halved rather than clamped: with almost any number of endpoints, one endpoint less gives the same number of entries per
  // endpoint, so an endpoint that leaves still moves only its own keys.
  const halvings = Math.max(0, Math.ceil(Math.log2(wanted / largestExactRing)));
  const size = Math.ceil(wanted / 2 ** halvings);
  return { minSize: size, maxSize: size };
}
