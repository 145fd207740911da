import type { Random } from "@grpc-lb/core";
import type { Child } from "../balancer/child.ts";
import type { Policy } from "../balancer/policy.ts";
import { AliasTable } from "./weights/alias-table.ts";
import { drawOther } from "./weights/draw.ts";
import { parseWeightConfig, type WeightConfig, weightRefreshMs, weightsNow } from "./weights/weights.ts";

export interface LeastRequestConfig extends WeightConfig {
  /** How many endpoints are looked at for each call. Default: 2. More than 10 counts as 10, as gRFC A48 has it. */
  readonly choiceCount: number;
}

/**
 * `least_request` (gRFC A48): of `choiceCount` endpoints drawn at random, the one with the fewest calls under way.
 *
 * Two things are otherwise than there. An endpoint is not drawn twice in a row, or with few endpoints the busiest would often
 * be compared with itself alone. And weights, which A48 does not know, are honoured in both steps. Endpoints are drawn by
 * weight, and the one drawn first keeps the call unless the next has room: has so much less under way for its weight that the
 * call makes it no busier than the first is. With equal weights that is just who has fewer; with unequal ones an endpoint that
 * has nothing under way does not beat one which is ten times as heavy and has a single call. So shares are near the weights
 * with few calls at once, and under load calls under way are in proportion to them.
 */
export const leastRequest: Policy<LeastRequestConfig, undefined> = {
  name: "least_request",
  parseConfig: (fields) => ({
    choiceCount: Math.min(10, fields.integer("choiceCount", 2, { min: 2 })),
    ...parseWeightConfig(fields),
  }),
  createInstance: ({ random }) => ({
    countsCalls: true,
    createEndpointState: () => undefined,
    createPicker: ({ ready, config, nowMs }) => {
      const weights = weightsNow(ready, config, nowMs);
      const table = new AliasTable(weights);
      const choiceCount = ready.length === 1 ? 1 : config.choiceCount;
      return () => {
        let best = table.pick(random());
        let calls = inFlightAt(ready, best);
        let least: number | undefined; // one for all draws, or more of them would be more chances for the light ones
        // One that has nothing under way keeps the call.
        for (let drawn = 1; drawn < choiceCount && calls > 0; drawn++) {
          const next = drawOther(table, random, best, ready.length);
          const nextCalls = inFlightAt(ready, next);
          const room = calls * ((weights[next] as number) / (weights[best] as number)) - nextCalls;
          if (room <= 0) continue;
          if (room < 1) {
            least ??= leastRoom(random); // between equal weights room is a whole number
            if (room <= least) continue;
          }
          best = next;
          calls = nextCalls;
        }
        return ready[best] as Child<undefined>;
      };
    },
    refreshMs: ({ ready, config, nowMs }) => weightRefreshMs(ready, config, nowMs),
  }),
};

const inFlightAt = (children: readonly Child<undefined>[], index: number) =>
  (children[index] as Child<undefined>).inFlight;

/**
 * Which part of a call is room enough: room of r is with a chance of r². With two calls at once the shares of two endpoints are
 * then just their weights, where with 2:1 the lighter one would have 50 % if any room were enough, and 25 % if only a whole
 * call's were.
 */
const leastRoom = (random: Random) => Math.sqrt(random());
