import { type CommonConfig, type Policy, parseCommonConfig } from "../balancer/policy.ts";

/** `random`: each endpoint with the same chance. */
export const random: Policy<CommonConfig, undefined> = {
  name: "random",
  parseConfig: parseCommonConfig,
  createChooser: ({ random }) => ({
    createLoad: () => undefined,
    prepare: ({ usable }) => {
      const count = usable.length;
      return () => usable[Math.floor(random() * count)] as (typeof usable)[number];
    },
  }),
};
