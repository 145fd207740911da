import { type CommonConfig, type Policy, parseCommonConfig } from "../balancer/policy.ts";

/** `random`: draws an endpoint for each call, all with the same probability. */
export const random: Policy<CommonConfig, undefined> = {
  name: "random",
  parseConfig: parseCommonConfig,
  createInstance: ({ random }) => ({
    createEndpointState: () => undefined,
    createPicker: ({ ready }) => {
      const count = ready.length;
      return () => ready[Math.floor(random() * count)] as (typeof ready)[number];
    },
  }),
};
