import type { Random } from "@grpc-lb/core";
import type { Child } from "../balancer/child.ts";
import { type CountConfig, type Policy, parseCountConfig } from "../balancer/policy.ts";
import { AliasTable } from "./weights/alias-table.ts";
import { currentWeights, parseWeightConfig, type WeightConfig, weightRefreshMs } from "./weights/weights.ts";

export interface LeastRequestConfig extends CountConfig, WeightConfig {
  /** How many endpoints are compared for each call. Default: 2. More than 10 counts as 10 (gRFC A48). */
  readonly choiceCount: number;
}

/**
 * `least_request` (gRFC A48): of `choiceCount` endpoints drawn at random, the one with the fewest calls in flight.
 *
 * It differs from A48 in two points. No endpoint is drawn twice in a row: with few endpoints the busiest would often be compared
 * only with itself. And weights, which A48 does not have, count in both steps. Endpoints are drawn by weight, and the first one
 * keeps the call unless the next has room: so few calls in flight for its weight that the call makes it no busier than the
 * first is. With equal weights that means fewer calls; with unequal weights an endpoint without calls does not beat one of ten
 * times its weight that has a single call. So with few concurrent calls shares follow the weights, and under load the calls in
 * flight do.
 */
export const leastRequest: Policy<LeastRequestConfig, undefined> = {
  name: "least_request",
  parseConfig: (fields) => ({
    choiceCount: Math.min(10, fields.integer("choiceCount", 2, { min: 2 })),
    ...parseCountConfig(fields),
    ...parseWeightConfig(fields),
  }),
  createInstance: ({ random }) => ({
    countsCalls: true,
    longCallAfterMs: ({ longCallAfterMs }) => longCallAfterMs,
    createEndpointState: () => undefined,
    createPicker: ({ ready, config, nowMs }) => {
      const weights = currentWeights(ready, config, nowMs);
      const table = new AliasTable(weights);
      const choiceCount = ready.length === 1 ? 1 : config.choiceCount;
      return () => {
        let best = table.pick(random());
        let calls = inFlightAt(ready, best);
        let minRoom: number | undefined; // drawn once per pick: a fresh draw per candidate would bias towards light endpoints
        // An endpoint without calls in flight keeps the call.
        for (let drawn = 1; drawn < choiceCount && calls > 0; drawn++) {
          const next = table.pickOther(best, random);
          const nextCalls = inFlightAt(ready, next);
          const room = calls * ((weights[next] as number) / (weights[best] as number)) - nextCalls;
          if (room <= 0) continue;
          if (room < 1) {
            minRoom ??= drawMinRoom(random); // between equal weights room is an integer
            if (room <= minRoom) continue;
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
 * How much room, in calls, is enough: room of r is enough with probability r². With two concurrent calls the shares of two
 * endpoints then follow their weights. With weights 2:1 the lighter one would get 50 % if any room were enough, and 25 % if
 * only room for a whole call were.
 */
const drawMinRoom = (random: Random) => Math.sqrt(random());
