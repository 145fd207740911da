import { type CommonConfig, type Policy, parseCommonConfig } from "../balancer/policy.ts";

/**
 * `round_robin`: takes endpoints in turn. It begins at a random one, so that clients which start together do not call the same, and a
 * change of the endpoints does not start it again.
 */
export const roundRobin: Policy<CommonConfig, undefined> = {
  name: "round_robin",
  parseConfig: parseCommonConfig,
  createInstance: ({ random }) => {
    let next = -1;
    return {
      createEndpointState: () => undefined,
      createPicker: ({ ready }) => {
        const count = ready.length;
        return () => {
          // Drawn at the first call, when more endpoints are connected than in the first picker.
          if (next < 0) next = Math.floor(random() * count);
          if (next >= count) next = 0;
          return ready[next++] as (typeof ready)[number];
        };
      },
    };
  },
};
