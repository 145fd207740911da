import type { PolicyEndMessage, PolicyMessage, UpdateMessage } from "./balancing-messages.ts";
import { PolicyState } from "./balancing-state.ts";

/**
 * How many states without a channel are kept, so that their counters go on when a channel comes back. Their gauges are 0: OpenTelemetry's SDK
 * would repeat the last value of a series that is not observed any more.
 */
export const maxInactive = 100;

/** The states of all targets and policies. */
export class PolicyStates {
  /** By policy and target; two levels, because a pick must not concatenate texts. */
  readonly #byPolicy = new Map<string, Map<string | undefined, PolicyState>>();
  /** Those without a channel, longest first. */
  readonly #inactive = new Map<PolicyState, PolicyMessage>();

  of(message: PolicyMessage): PolicyState {
    let byTarget = this.#byPolicy.get(message.policy);
    if (!byTarget) {
      byTarget = new Map();
      this.#byPolicy.set(message.policy, byTarget);
    }
    let state = byTarget.get(message.target);
    if (!state) {
      state = new PolicyState(message);
      byTarget.set(message.target, state);
    }
    return state;
  }

  update(message: UpdateMessage): PolicyState {
    const state = this.of(message);
    this.#inactive.delete(state);
    state.update(message);
    return state;
  }

  end(message: PolicyEndMessage): void {
    const state = this.#byPolicy.get(message.policy)?.get(message.target);
    state?.end(message);
    if (!state || state.isActive) return;
    this.#inactive.set(state, message);
    if (this.#inactive.size <= maxInactive) return;
    for (const [oldest, { policy, target }] of this.#inactive) {
      this.#inactive.delete(oldest);
      this.#byPolicy.get(policy)?.delete(target);
      return;
    }
  }

  all(): readonly PolicyState[] {
    return [...this.#byPolicy.values()].flatMap((byTarget) => [...byTarget.values()]);
  }
}
