import type { Child } from "../../balancer/child.ts";
import type { Policy } from "../../balancer/policy.ts";
import { parseWeightConfig, type WeightConfig } from "../weights/weights.ts";
import { isPrime, MaglevTable } from "./maglev-table.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { flagsOf, TableCache, without } from "./table-cache.ts";

export interface MaglevConfig extends WeightConfig, KeyConfig {
  /**
   * The number of slots: a prime, well above the number of endpoints. Default: 16 381. The paper and Envoy take 65 537, which spreads
   * more evenly and takes 3 ms to build for 1 000 endpoints, at the first call after each change; 16 381 slots take 1 ms.
   */
  readonly tableSize: number;
}

export const defaultTableSize = 16_381;

/** Envoy's limit. */
const largestTable = 5_000_011;

/**
 * `maglev`: calls with the same key go to the same endpoint, looked up in a table in constant time (Eisenbud et al., "Maglev", NSDI
 * 2016). Keys are spread more evenly than on a ring. When an endpoint leaves, a few keys of the others move with its own.
 */
export const maglev: Policy<MaglevConfig, undefined> = {
  name: "maglev",
  parseConfig: (fields) => {
    const tableSize = fields.integer("tableSize", defaultTableSize, { min: 3, max: largestTable });
    if (!isPrime(tableSize)) throw new RangeError(`tableSize must be a prime, got ${tableSize}`);
    return {
      tableSize,
      ...parseKeyConfig(fields, "random"),
      ...parseWeightConfig(fields, { hasSlowStart: false }),
    };
  },
  createInstance: ({ random }) => {
    const tables = new TableCache(
      (members, { tableSize }: MaglevConfig) => new MaglevTable(members, largerThan(members.length, tableSize)),
    );
    return {
      createEndpointState: () => undefined,
      createPicker: ({ children, ready, config }) => {
        const isReady = flagsOf(children, ready);
        const hashOf = createRequestHash(config, random);
        let table: MaglevTable | undefined;
        return (args, avoided) => {
          table ??= tables.get(children, ready, config);
          return (children[table.choose(hashOf(args), without(isReady, avoided))] ?? ready[0]) as Child<undefined>;
        };
      },
    };
  },
};

/** The smallest prime that is at least `tableSize` and above the number of members, so that each member gets a slot. */
export function largerThan(members: number, tableSize: number): number {
  let size = Math.max(tableSize, members + 1);
  while (!isPrime(size)) size += 1;
  return size;
}
