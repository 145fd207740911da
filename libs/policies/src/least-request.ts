import type { Child } from "./child.ts";
import type { Policy } from "./policy.ts";
import { AliasTable } from "./weighted/alias-table.ts";
import { drawOther } from "./weighted/draw.ts";
import { parseWeightConfig, type WeightConfig, weightRefreshMs, weightsNow } from "./weighted/weights.ts";

export interface LeastRequestConfig extends WeightConfig {
  /** How many endpoints are looked at for each call. Default: 2. More than 10 counts as 10, as gRFC A48 has it. */
  readonly choiceCount: number;
}

/**
 * `least_request` (gRFC A48): of `choiceCount` endpoints drawn at random, the one with the fewest calls under way.
 *
 * Two things are otherwise than there. An endpoint is not drawn twice in a row, or with few endpoints the busiest would often
 * be compared with itself alone. And weights, which A48 does not know, are honoured in both steps: endpoints are drawn by
 * weight, and of two the one with fewer calls per weight is taken. With nothing under way that leaves the shares to the
 * weights, and under load it holds calls in proportion to them.
 */
export const leastRequest: Policy<LeastRequestConfig, undefined> = {
  name: "least_request",
  parseConfig: (fields) => ({
    choiceCount: Math.min(10, fields.integer("choiceCount", 2, { min: 2 })),
    ...parseWeightConfig(fields),
  }),
  createChooser: ({ random }) => ({
    countsCalls: true,
    createLoad: () => undefined,
    prepare: ({ usable, config, nowMs }) => {
      const weights = weightsNow(usable, config, nowMs);
      const table = new AliasTable(weights);
      const choiceCount = usable.length === 1 ? 1 : config.choiceCount;
      return () => {
        let best = table.pick(random());
        let bestLoad = loadOf(usable, weights, best);
        for (let drawn = 1; drawn < choiceCount; drawn++) {
          const next = drawOther(table, random, best, usable.length);
          const load = loadOf(usable, weights, next);
          if (load >= bestLoad) continue; // a tie goes to the one drawn first, as otherwise weights would not count
          best = next;
          bestLoad = load;
        }
        return usable[best] as Child<undefined>;
      };
    },
    refreshMs: ({ usable, config, nowMs }) => weightRefreshMs(usable, config, nowMs),
  }),
};

/** Calls under way per weight; an endpoint without weight is taken only when there is no other. */
function loadOf(children: readonly Child<undefined>[], weights: Float64Array, index: number): number {
  const weight = weights[index] as number;
  return weight === 0 ? Number.POSITIVE_INFINITY : (children[index] as Child<undefined>).inFlight / weight;
}
