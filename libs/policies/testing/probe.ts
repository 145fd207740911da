import type { Child } from "../src/balancer/child.ts";
import type { CommonConfig, PickerInput, Policy, PolicyInstance } from "../src/balancer/policy.ts";

/** Wraps a policy under another name, and records its inputs, picks and events. */
export class Probe<Config extends CommonConfig, EndpointState> {
  readonly policy: Policy<Config, EndpointState>;
  /** All children that could ever be picked, including those that have left. */
  readonly seen = new Set<Child<EndpointState>>();
  /** The latest input. */
  input: PickerInput<Config, EndpointState> | undefined;
  /** The child of the latest pick. */
  picked: Child<EndpointState> | undefined;
  /** The events, in order: `connected 10.0.0.1:80`, `disconnected 10.0.0.1:80`. */
  readonly events: string[] = [];

  constructor(name: string, policy: Policy<Config, EndpointState>) {
    this.policy = {
      name,
      parseConfig: (fields) => policy.parseConfig(fields),
      createInstance: (context) => this.#show(policy.createInstance(context)),
    };
  }

  /** The counted calls by the endpoint's address; endpoints without calls are left out. */
  get inFlight(): Record<string, number> {
    const counted = [...this.seen].filter(({ inFlight }) => inFlight !== 0);
    return Object.fromEntries(counted.map(({ info, inFlight }) => [info.address, inFlight]));
  }

  #show(inner: PolicyInstance<Config, EndpointState>): PolicyInstance<Config, EndpointState> {
    const { onCallEnded } = inner;
    return {
      countsCalls: inner.countsCalls ?? false,
      createEndpointState: () => inner.createEndpointState(),
      createPicker: (input) => {
        this.input = input;
        for (const child of input.children) this.seen.add(child);
        const pickChild = inner.createPicker(input);
        return (args, avoided) => {
          this.picked = pickChild(args, avoided);
          return this.picked;
        };
      },
      longCallAfterMs: (config) => inner.longCallAfterMs?.(config) ?? Number.POSITIVE_INFINITY,
      refreshMs: (input) => inner.refreshMs?.(input),
      onConnected: (child, config) => {
        this.events.push(`connected ${child.connected?.getAddress()}`);
        inner.onConnected?.(child, config);
      },
      onDisconnected: (child) => {
        this.events.push(`disconnected ${child.info.address}`);
        inner.onDisconnected?.(child);
      },
      ...(onCallEnded && { onCallEnded: onCallEnded.bind(inner) }),
    };
  }
}
