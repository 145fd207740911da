import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type Clock, checkOptions, type OptionRules, systemClock } from "@grpc-lb/core";
import type { Meter, ObservableResult } from "@opentelemetry/api";
import {
  type ConnectionMessage,
  channels,
  type EjectionMessage,
  type PickMessage,
  type ResolverErrorMessage,
  type SnapshotMessage,
  type UpdateMessage,
} from "./balancing-messages.ts";
import { PolicyState, SnapshotState } from "./balancing-state.ts";

/** How balancing is measured. */
export interface BalancingMetricsOptions {
  /** Creates the instruments. */
  readonly meter: Meter;
}

/** The measurement, until it is closed. */
export interface BalancingMetrics {
  /** Ends it: nothing is observed any more. */
  close(): void;
}

const rules: OptionRules = { meter: "object" };

/**
 * Measures what `@grpc-lb/resolver` and `@grpc-lb/policies` do in this process, from their diagnostics channels; to be called once, before
 * the first channel is used.
 *
 * | metric | attributes | |
 * |---|---|---|
 * | `grpc.lb.picks` | `grpc.target`, `grpc.lb.policy`, `grpc.lb.endpoint` | calls sent to each endpoint |
 * | `grpc.lb.endpoints` | `grpc.target`, `grpc.lb.policy`, `grpc.lb.endpoint.state` | `known`: in the list; `ready`: connected and not ejected |
 * | `grpc.lb.policy.updates` | `grpc.target`, `grpc.lb.policy` | lists and configurations that a policy got |
 * | `grpc.lb.resolver.snapshot.age` | `grpc.target` | for how long the source has not heard from its server; 0 while it does |
 * | `grpc.lb.resolver.errors` | `grpc.target`, `grpc.lb.resolver.error` | by kind: `unavailable`, `permissionDenied` … |
 *
 * @throws TypeError for options of another type or name
 */
export function observeBalancing(options: BalancingMetricsOptions): BalancingMetrics {
  checkOptions("observeBalancing", options, rules, ["meter"]);
  return observeBalancingIn(options, systemClock);
}

/** The same with any clock. */
export function observeBalancingIn({ meter }: BalancingMetricsOptions, clock: Pick<Clock, "now">): BalancingMetrics {
  const policies = new Map<string, Map<string | undefined, PolicyState>>();
  const snapshots = new Map<string, SnapshotState>();
  const updates = meter.createCounter("grpc.lb.policy.updates", {
    description: "Updates of a policy",
    unit: "{update}",
  });
  const errors = meter.createCounter("grpc.lb.resolver.errors", {
    description: "New errors of a resolver",
    unit: "{error}",
  });
  const picks = meter.createObservableCounter("grpc.lb.picks", { description: "Calls by endpoint", unit: "{call}" });
  const endpoints = meter.createObservableGauge("grpc.lb.endpoints", { description: "Endpoints", unit: "{endpoint}" });
  const age = meter.createObservableGauge("grpc.lb.resolver.snapshot.age", {
    description: "Time without a word of the registry; 0 while it is heard",
    unit: "s",
  });

  const policyOf = (message: { readonly target: string | undefined; readonly policy: string }): PolicyState => {
    let byTarget = policies.get(message.policy);
    if (!byTarget) {
      byTarget = new Map();
      policies.set(message.policy, byTarget);
    }
    let state = byTarget.get(message.target);
    if (!state) {
      state = new PolicyState(message);
      byTarget.set(message.target, state);
    }
    return state;
  };
  const states = () => [...policies.values()].flatMap((byTarget) => [...byTarget.values()]);

  const listeners: readonly (readonly [string, (message: unknown) => void])[] = [
    [channels.pick, (message) => policyOf(message as PickMessage).pick(message as PickMessage)],
    [channels.connection, (message) => policyOf(message as ConnectionMessage).connect(message as ConnectionMessage)],
    [channels.ejection, (message) => policyOf(message as EjectionMessage).eject(message as EjectionMessage)],
    [
      channels.update,
      (message) => {
        const state = policyOf(message as UpdateMessage);
        state.update(message as UpdateMessage);
        updates.add(1, state.attributes);
      },
    ],
    [
      channels.snapshot,
      (message) => {
        const { target } = message as SnapshotMessage;
        const state = snapshots.get(target) ?? new SnapshotState();
        snapshots.set(target, state);
        state.update(message as SnapshotMessage, clock.now());
      },
    ],
    [
      channels.error,
      (message) => {
        const { target, error } = message as ResolverErrorMessage;
        errors.add(1, { "grpc.target": target, "grpc.lb.resolver.error": error.code });
      },
    ],
  ];
  for (const [name, listener] of listeners) subscribe(name, listener);

  const observePicks = (result: ObservableResult): void => {
    for (const state of states()) {
      for (const [address, count] of state.picks()) {
        result.observe(count, { ...state.attributes, "grpc.lb.endpoint": address });
      }
    }
  };
  const observeEndpoints = (result: ObservableResult): void => {
    for (const { attributes, known, ready } of states()) {
      result.observe(known, { ...attributes, "grpc.lb.endpoint.state": "known" });
      result.observe(ready, { ...attributes, "grpc.lb.endpoint.state": "ready" });
    }
  };
  const observeAge = (result: ObservableResult): void => {
    for (const [target, state] of snapshots) result.observe(state.ageSeconds(clock.now()), { "grpc.target": target });
  };
  picks.addCallback(observePicks);
  endpoints.addCallback(observeEndpoints);
  age.addCallback(observeAge);
  return {
    close() {
      for (const [name, listener] of listeners) unsubscribe(name, listener);
      picks.removeCallback(observePicks);
      endpoints.removeCallback(observeEndpoints);
      age.removeCallback(observeAge);
    },
  };
}
