import type { Child } from "../src/balancer/child.ts";
import type { CommonConfig, PickerInput, Policy, PolicyInstance } from "../src/balancer/policy.ts";

/** A policy under a name of its own, which shows what goes on inside: the same choices, seen from without. */
export class Probe<Config extends CommonConfig, Load> {
  readonly policy: Policy<Config, Load>;
  /** All children that could ever be chosen, also those that have left. */
  readonly seen = new Set<Child<Load>>();
  /** What was chosen from last. */
  view: PickerInput<Config, Load> | undefined;
  /** The child of the last pick. */
  chosen: Child<Load> | undefined;
  /** What the instance was told, in order: `connected 10.0.0.1:80`, `disconnected 10.0.0.1:80`. */
  readonly told: string[] = [];

  constructor(name: string, policy: Policy<Config, Load>) {
    this.policy = {
      name,
      parseConfig: (fields) => policy.parseConfig(fields),
      createInstance: (context) => this.#show(policy.createInstance(context)),
    };
  }

  /** The calls that are counted, by the endpoint's address; those without any are left out. */
  get inFlight(): Record<string, number> {
    const counted = [...this.seen].filter(({ inFlight }) => inFlight !== 0);
    return Object.fromEntries(counted.map(({ info, inFlight }) => [info.address, inFlight]));
  }

  #show(inner: PolicyInstance<Config, Load>): PolicyInstance<Config, Load> {
    const { onCallEnded } = inner;
    return {
      countsCalls: inner.countsCalls ?? false,
      createEndpointState: () => inner.createEndpointState(),
      createPicker: (view) => {
        this.view = view;
        for (const child of view.children) this.seen.add(child);
        const choose = inner.createPicker(view);
        return (args) => {
          this.chosen = choose(args);
          return this.chosen;
        };
      },
      refreshMs: (view) => inner.refreshMs?.(view),
      onConnected: (child, config) => {
        this.told.push(`connected ${child.connected?.getAddress()}`);
        inner.onConnected?.(child, config);
      },
      onDisconnected: (child) => {
        this.told.push(`disconnected ${child.info.address}`);
        inner.onDisconnected?.(child);
      },
      ...(onCallEnded && { onCallEnded: onCallEnded.bind(inner) }),
    };
  }
}
