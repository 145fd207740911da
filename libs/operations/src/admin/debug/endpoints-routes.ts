import { redactTarget, systemClock } from "@grpc-lb/core";
import { type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { PolicyStats } from "@grpc-lb/policies";
import type { ResolvedTargetStats } from "@grpc-lb/resolver";
import type { DispatcherStats } from "@grpc-lb/resolver/undici";
import type { AdminRoutes } from "../routes.ts";
import { EndpointsObserver } from "./endpoints-observer.ts";

/** The views of the libraries that a program uses. */
export interface EndpointsViews {
  /** `stats` of what `registerResolvers` of `@grpc-lb/resolver` returns. */
  readonly resolvers?: () => readonly ResolvedTargetStats[];
  /** `stats` of what `registerPolicies` of `@grpc-lb/policies` returns. */
  readonly policies?: () => readonly PolicyStats[];
  /** `stats` of each dispatcher of `@grpc-lb/resolver/undici`. */
  readonly dispatchers?: () => readonly DispatcherStats[];
}

/**
 * `GET /debug/endpoints`: what the resolver, the policies and the dispatchers of this process know now, as JSON. Of each target the
 * source (age of what it knows, last error, lists and watches) with its endpoints, and of each channel's policy its configuration and the state,
 * picks and calls in flight of every endpoint. Values of a target's parameters and metadata other than the pod's name are not in it.
 * To be made before the first channel is used.
 */
export function endpointsRoutes(views: EndpointsViews): AdminRoutes {
  const observer = new EndpointsObserver();
  const describe = () => ({
    sources: (views.resolvers?.() ?? []).map((stats) => describeSource(stats, observer)),
    policies: (views.policies?.() ?? []).map((stats) => describePolicy(stats, observer)),
    dispatchers: (views.dispatchers?.() ?? []).map((stats) => describeDispatcher(stats, observer)),
  });
  const answer = () => ({ type: "application/json; charset=utf-8", body: JSON.stringify(describe()) });
  return {
    routes: [{ method: "GET", path: "/debug/endpoints", answer }],
    close: () => observer.close(),
  };
}

const shown = (target: string | undefined) =>
  target === undefined ? null : redactTarget(target, { isKnown: true, parameters: [] });

const rounded = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms));

function describeSource(stats: ResolvedTargetStats, observer: EndpointsObserver): object {
  const { target, scheme, channels, error = null, lists, watches, events, errors } = stats;
  const snapshot = observer.snapshotOf(target);
  return {
    ...{ target: shown(target), subject: snapshot?.subject ?? null, scheme, channels },
    ...{ lastSyncAgeMs: rounded(stats.lastSyncAgeMs), error, lists, watches, events, errors },
    endpoints: snapshot?.endpoints?.map(describeEndpoint) ?? [],
  };
}

function describePolicy({ target, policy, endpoints }: PolicyStats, observer: EndpointsObserver): object {
  return {
    target: shown(target),
    policy,
    config: observer.configOf(policy, target) ?? null,
    endpoints: endpoints.map(({ endpoint, isReady, isEjected, picks, inFlight = null }) => {
      const { address, weight, zone = null, metadata } = endpoint;
      const state = isEjected ? "ejected" : isReady ? "ready" : "not ready";
      return { address, pod: metadata.podName ?? null, zone, weight, state, picks, inFlight };
    }),
  };
}

function describeDispatcher(stats: DispatcherStats, observer: EndpointsObserver): object {
  const { target, subject, endpoints, waiting, error = null } = stats;
  const { lastSyncMs } = observer.snapshotOf(target ?? subject) ?? {};
  return {
    ...{ target: shown(target), subject, waiting, error },
    lastSyncAgeMs: rounded(lastSyncMs && systemClock.now() - lastSyncMs),
    endpoints: endpoints.map(({ endpoint, isInBackoff, picks, inFlight }) => {
      const state = isInBackoff ? "in backoff" : "ready";
      return { ...describeEndpoint(endpoint), state, picks, inFlight };
    }),
  };
}

function describeEndpoint({ addresses, metadata, nodeName, zone, weight }: Endpoint): object {
  const shown = { pod: metadata.podName ?? null, node: nodeName ?? null, zone: zone ?? null, weight };
  return { addresses: addresses.map(formatAddress), ...shown };
}
