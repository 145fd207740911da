import type { Child } from "./child.ts";
import { MaglevTable } from "./hash/maglev-table.ts";
import { flagsOf, TableCache } from "./hash/members.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./hash/request-key.ts";
import type { Policy } from "./policy.ts";
import { parseWeightConfig, type WeightConfig } from "./weighted/weights.ts";

export interface SourceHashConfig extends WeightConfig, KeyConfig {
  /**
   * How far an endpoint may be above the mean of calls under way before the key's calls go on to the next one; 0 for any
   * distance. Default: 1.25.
   */
  readonly balanceFactor: number;
}

/** A prime, as Maglev's tables want it; few of another endpoint's keys move when one leaves. */
const tableSize = 65_537;

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
  createChooser: ({ random }) => {
    const tables = new TableCache((members, _config: SourceHashConfig) => new MaglevTable(members, tableSize));
    return {
      countsCalls: true,
      createLoad: () => undefined,
      prepare: ({ children, usable, config, calls }) => {
        const table = tables.get(children, config);
        const isUsable = flagsOf(children, usable);
        const hashOf = createRequestHash(config, random);
        const { balanceFactor } = config;
        let most = Number.POSITIVE_INFINITY;
        const accepts = (index: number) =>
          isUsable[index] === 1 && (children[index] as Child<undefined>).inFlight < most;
        return (args) => {
          if (balanceFactor > 0) most = Math.ceil((balanceFactor * (calls.inFlight + 1)) / usable.length);
          return (children[table.chooseWith(hashOf(args), accepts)] ?? usable[0]) as Child<undefined>;
        };
      },
    };
  },
};
