import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type Clock, checkOptions, type OptionRules, systemClock } from "@grpc-lb/core";
import type { Meter, ObservableResult } from "@opentelemetry/api";
import {
  type ConnectionMessage,
  channels,
  type EjectionMessage,
  type PickMessage,
  type PolicyEndMessage,
  type ResolverErrorMessage,
  type SnapshotMessage,
  type SubscriptionEndMessage,
  type UpdateMessage,
} from "./balancing-messages.ts";
import { PolicyStates } from "./policy-states.ts";
import { SnapshotAges } from "./snapshot-ages.ts";

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
 * Measures what `@grpc-lb/resolver`, with its dispatcher for HTTP, and `@grpc-lb/policies` do in this process, from their diagnostics
 * channels; to be called once, before the first channel is used. Of a dispatcher there are the age and the errors.
 *
 * | metric | attributes | |
 * |---|---|---|
 * | `grpc.lb.picks` | `grpc.target`, `grpc.lb.policy`, `grpc.lb.endpoint` | calls sent to each endpoint |
 * | `grpc.lb.endpoints` | `grpc.target`, `grpc.lb.policy`, `grpc.lb.endpoint.state` | `known`: in the list; `ready`: connected and not ejected. Both 0 for channels that are closed or idle |
 * | `grpc.lb.policy.updates` | `grpc.target`, `grpc.lb.policy` | lists and configurations that a policy got |
 * | `grpc.lb.resolver.snapshot.age` | `grpc.target` | how long ago the source last heard from its server; 0 while it does, and once no channel uses it |
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
  const policies = new PolicyStates();
  const ages = new SnapshotAges();
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
    description: "Time since the registry last answered; 0 while it answers",
    unit: "s",
  });

  const onSnapshot = (message: unknown) => ages.update(message as SnapshotMessage, clock.now());
  const onSubscriptionEnd = (message: unknown) => ages.end(message as SubscriptionEndMessage);
  const onError = (message: unknown) => {
    const { target, error } = message as ResolverErrorMessage;
    errors.add(1, { "grpc.target": target ?? "unknown", "grpc.lb.resolver.error": error.code });
  };
  const listeners: readonly (readonly [string, (message: unknown) => void])[] = [
    [channels.pick, (message) => policies.of(message as PickMessage).pick(message as PickMessage)],
    [channels.connection, (message) => policies.of(message as ConnectionMessage).connect(message as ConnectionMessage)],
    [channels.ejection, (message) => policies.of(message as EjectionMessage).eject(message as EjectionMessage)],
    [channels.update, (message) => updates.add(1, policies.update(message as UpdateMessage).attributes)],
    [channels.policyEnd, (message) => policies.end(message as PolicyEndMessage)],
    [channels.snapshot, onSnapshot],
    [channels.error, onError],
    [channels.resolverEnd, onSubscriptionEnd],
    [channels.dispatcherSnapshot, onSnapshot],
    [channels.dispatcherError, onError],
    [channels.dispatcherEnd, onSubscriptionEnd],
  ];
  for (const [name, listener] of listeners) subscribe(name, listener);

  const observePicks = (result: ObservableResult): void => {
    for (const state of policies.all()) {
      for (const [address, count] of state.picks()) {
        result.observe(count, { ...state.attributes, "grpc.lb.endpoint": address });
      }
    }
  };
  const observeEndpoints = (result: ObservableResult): void => {
    for (const { attributes, known, ready } of policies.all()) {
      result.observe(known, { ...attributes, "grpc.lb.endpoint.state": "known" });
      result.observe(ready, { ...attributes, "grpc.lb.endpoint.state": "ready" });
    }
  };
  const observeAge = (result: ObservableResult): void => {
    for (const [target, seconds] of ages.seconds(clock.now())) result.observe(seconds, { "grpc.target": target });
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
