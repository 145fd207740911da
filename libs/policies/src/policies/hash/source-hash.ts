import type { Child } from "../../balancer/child.ts";
import type { Policy } from "../../balancer/policy.ts";
import { parseWeightConfig, type WeightConfig, weightsNow } from "../weights/weights.ts";
import { largerThan } from "./maglev.ts";
import { MaglevTable } from "./maglev-table.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { TableCache } from "./table-cache.ts";

export interface SourceHashConfig extends WeightConfig, KeyConfig {
  /**
   * How far an endpoint may be above its share (by weight) of the calls under way before the key's calls go on to the next
   * one; 0 for any distance. Default: 1.25.
   */
  readonly balanceFactor: number;
}

/**
 * A prime, as Maglev's tables want it. A quarter of `maglev`'s: shares need not be as even where the load is bounded, and of
 * ten endpoints one that leaves moves 0.6 % of the others' keys, where 65 537 slots would move 0.3 %.
 */
const tableSize = 16_381;

/** In calls: shares such as 1/3 are no exact numbers, and 3 of them must not make room for one call more. */
const roundingError = 1e-9;

/**
 * `source_hash`: a client keeps to one endpoint, by its own key (the pod's uid, its host's name, its address) or by a header of
 * the call, as long as that endpoint does not carry too much of what this client has under way: then its calls go on to the
 * next in line (Mirrokni et al., "Consistent Hashing with Bounded Loads", 2016). One call at a time always stays.
 */
export const sourceHash: Policy<SourceHashConfig, undefined> = {
  name: "source_hash",
  parseConfig: (fields) => {
    const balanceFactor = fields.number("balanceFactor", 1.25, { min: 0 });
    if (balanceFactor > 0 && balanceFactor < 1) {
      throw new RangeError(`balanceFactor must be 0 or >= 1, got ${balanceFactor}`);
    }
    return {
      balanceFactor,
      ...parseKeyConfig(fields, "pod_uid"),
      ...parseWeightConfig(fields, { hasSlowStart: false }),
    };
  },
  createInstance: ({ random }) => {
    const tables = new TableCache(
      (members, _config: SourceHashConfig) => new MaglevTable(members, largerThan(members.length, tableSize)),
    );
    /** Whoever may still carry calls, also one that has left. */
    let carriers: readonly Child<undefined>[] = [];
    return {
      countsCalls: true,
      createEndpointState: () => undefined,
      createPicker: ({ children, ready, config, calls, nowMs }) => {
        const hashOf = createRequestHash(config, random);
        const { balanceFactor } = config;
        // Each one's bound as a part of all calls; 0 for who is not ready. An endpoint without weight makes no room for less.
        const bounds = new Float64Array(children.length);
        const weights = weightsNow(ready, config, nowMs);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [i, { index }] of ready.entries()) {
          bounds[index] =
            balanceFactor === 0 ? Number.POSITIVE_INFINITY : (balanceFactor * (weights[i] as number)) / total;
        }
        const elsewhere = new Set([...carriers, ...children]);
        for (const child of ready) elsewhere.delete(child);
        for (const child of elsewhere) if (child.inFlight === 0) elsewhere.delete(child);
        carriers = [...elsewhere, ...children];
        let underWay = 0;
        // A whole number is below the bound rounded up just when it is below the bound.
        const accepts = (index: number) =>
          (children[index] as Child<undefined>).inFlight < (bounds[index] as number) * (underWay + 1) - roundingError;
        let table: MaglevTable | undefined;
        return (args) => {
          table ??= tables.get(children, ready, config);
          underWay = calls.inFlight - (elsewhere.size === 0 ? 0 : inFlightOf(elsewhere));
          return (children[table.chooseWith(hashOf(args), accepts)] ?? ready[0]) as Child<undefined>;
        };
      },
    };
  },
};

/** Calls that end where no new ones go: they make no room for these. Those that have no more are taken out. */
function inFlightOf(elsewhere: Set<Child<undefined>>): number {
  let sum = 0;
  for (const child of elsewhere) {
    if (child.inFlight === 0) elsewhere.delete(child);
    sum += child.inFlight;
  }
  return sum;
}
