import type { Policy } from "../balancer/policy.ts";
import { AliasTable } from "./weights/alias-table.ts";
import { currentWeights, parseWeightConfig, type WeightConfig, weightRefreshMs } from "./weights/weights.ts";

/** `weighted_random`: draws an endpoint for each call in proportion to its weight, in constant time. */
export const weightedRandom: Policy<WeightConfig, undefined> = {
  name: "weighted_random",
  parseConfig: parseWeightConfig,
  createInstance: ({ random }) => ({
    createEndpointState: () => undefined,
    createPicker: ({ ready, config, nowMs }) => {
      const table = new AliasTable(currentWeights(ready, config, nowMs));
      return () => ready[table.pick(random())] as (typeof ready)[number];
    },
    refreshMs: ({ ready, config, nowMs }) => weightRefreshMs(ready, config, nowMs),
  }),
};
