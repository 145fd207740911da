import type { Policy } from "../balancer/policy.ts";
import { AliasTable } from "./weights/alias-table.ts";
import { parseWeightConfig, type WeightConfig, weightRefreshMs, weightsNow } from "./weights/weights.ts";

/** `weighted_random`: each endpoint with a chance in proportion to its weight, in constant time. */
export const weightedRandom: Policy<WeightConfig, undefined> = {
  name: "weighted_random",
  parseConfig: parseWeightConfig,
  createInstance: ({ random }) => ({
    createEndpointState: () => undefined,
    createPicker: ({ ready, config, nowMs }) => {
      const table = new AliasTable(weightsNow(ready, config, nowMs));
      return () => ready[table.pick(random())] as (typeof ready)[number];
    },
    refreshMs: ({ ready, config, nowMs }) => weightRefreshMs(ready, config, nowMs),
  }),
};
