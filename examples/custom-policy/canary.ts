import type { CommonConfig, Policy } from "@grpc-lb/policies";

interface CanaryConfig extends CommonConfig {
  /** The value of the endpoints' metadata field `version` that marks a canary. */
  readonly version: string;
  /** The share of the calls that canaries take. Default: 10. */
  readonly percent: number;
}

/** `canary`: a share of the calls goes to the endpoints of one version, the rest to all others, each group in turn. */
export const canary: Policy<CanaryConfig, undefined> = {
  name: "canary",
  parseConfig(fields) {
    const version = fields.text("version");
    if (version === undefined) throw new RangeError("version is required");
    return { version, percent: fields.number("percent", 10, { min: 0, max: 100 }), panicThreshold: 0 };
  },
  // One instance a channel: what it remembers stays when the endpoints change.
  createInstance() {
    let due = 0; // in percent of a call
    let calls = 0;
    return {
      createEndpointState: () => undefined,
      // Called again whenever an endpoint comes, goes, connects or disconnects. `ready` are the connected ones, at least one.
      createPicker({ config, ready }) {
        const canaries = ready.filter(({ info }) => info.metadata.version === config.version);
        const others = ready.filter((child) => !canaries.includes(child));
        return () => {
          due += config.percent;
          const isCanary = due >= 100;
          if (isCanary) due -= 100;
          const wanted = isCanary ? canaries : others;
          const group = wanted.length > 0 ? wanted : ready;
          return group[calls++ % group.length];
        };
      },
    };
  },
};
