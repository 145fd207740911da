import { type CommonConfig, type Policy, parseCommonConfig } from "../balancer/policy.ts";

/** `random`: each endpoint with the same chance. */
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
