import type { Child } from "../../balancer/child.ts";
import type { Policy } from "../../balancer/policy.ts";
import { parseWeightConfig, type WeightConfig } from "../weights/weights.ts";
import type { KeyedMember } from "./key-order.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { HashRing, type RingSizes } from "./ring.ts";
import { flagsOf, TableCache } from "./table-cache.ts";

export interface RingHashConfig extends WeightConfig, KeyConfig {
  /** Default: 1024. */
  readonly minRingSize: number;
  /** Default: 4096. */
  readonly maxRingSize: number;
  /**
   * How many places each endpoint (of the least weight) has, in place of the two sizes; undefined: as they say. Halved until
   * the ring has at most 65 536.
   */
  readonly entriesPerEndpoint: number | undefined;
}

/** The most entries that a client takes on; what is asked beyond it counts as this much (gRFC A42). */
const ringSizeCap = 4096;
/** What A42 lets one ask for. */
const largestRing = 8 * 1024 * 1024;
/** Which takes a tenth of a second to build and 8 MB meanwhile; all calls wait for it. */
const largestExactRing = 65_536;

/**
 * `ring_hash` (gRFC A42, A76): calls with one key go to one endpoint, and when endpoints come or go only their own keys move.
 * The ring is that of the other gRPC languages (ketama with XXH64 of `address_i`), so that clients in all of them agree.
 *
 * The sizes of A42 give each endpoint more places when there are fewer of them, so that one which leaves moves more keys than
 * its own (of ten endpoints 16 %, in place of 10 %). With `entriesPerEndpoint` only its own move, and other languages do not agree.
 *
 * Otherwise than there, all endpoints are kept connected, and a key never waits for its endpoint's connection: while it is not
 * READY its keys go to those that follow on the ring. With a great many of them put `subset` in front.
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
        return (args) => {
          ring ??= rings.get(children, ready, config);
          return (children[ring.choose(hashOf(args), isReady)] ?? ready[0]) as Child<undefined>;
        };
      },
    };
  },
};

/** How large a ring is to be. */
export function sizesOf(
  members: readonly KeyedMember[],
  config: Pick<RingHashConfig, "minRingSize" | "maxRingSize" | "entriesPerEndpoint">,
): RingSizes {
  const { minRingSize, maxRingSize, entriesPerEndpoint } = config;
  if (entriesPerEndpoint === undefined) return { minSize: minRingSize, maxSize: maxRingSize };
  const weights = members.map(({ weight }) => weight).filter((weight) => weight > 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const asked = (total / weights.reduce((a, b) => Math.min(a, b))) * entriesPerEndpoint;
  // Not just cut off: halves are the same for so many endpoints and one less, but for a few numbers of them, and so one that
  // leaves still moves its own keys alone.
  const halvings = Math.max(0, Math.ceil(Math.log2(asked / largestExactRing)));
  const size = Math.ceil(asked / 2 ** halvings);
  return { minSize: size, maxSize: size };
}
