import type { Policy } from "../balancer/policy.ts";
import { AliasTable } from "./weights/alias-table.ts";
import { parseWeightConfig, type WeightConfig, weightRefreshMs, weightsNow } from "./weights/weights.ts";

/** `weighted_random`: each endpoint with a chance in proportion to its weight, in constant time. */
export const weightedRandom: Policy<WeightConfig, undefined> = {
  name: "weighted_random",
  parseConfig: parseWeightConfig,
  createChooser: ({ random }) => ({
    createLoad: () => undefined,
    prepare: ({ usable, config, nowMs }) => {
      const table = new AliasTable(weightsNow(usable, config, nowMs));
      return () => usable[table.pick(random())] as (typeof usable)[number];
    },
    refreshMs: ({ usable, config, nowMs }) => weightRefreshMs(usable, config, nowMs),
  }),
};
