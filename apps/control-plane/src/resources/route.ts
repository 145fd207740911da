import {
  type RetryPolicy,
  RouteAction,
  type RouteAction as RouteActionMessage,
  RouteConfiguration,
} from "@grpc-lb/protos/envoy/config/route/v3";
import type { Retries, Service } from "../config/config.ts";
import type { ClientKind } from "./client-kind.ts";
import { noTimeout } from "./constants.ts";
import { toDuration } from "./pack.ts";

/** Conditions under which no server has taken the call. gRPC clients try again by themselves then; Envoy must be told. */
const notSent = "connect-failure,refused-stream";
const notSentAttempts = 2;

/** A retry goes to an endpoint that has not failed the call; Envoy would otherwise choose as for any other call. */
const elsewhere: Pick<RetryPolicy, "retryHostPredicate" | "hostSelectionRetryMaxAttempts"> = {
  retryHostPredicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      configType: {
        $case: "typedConfig",
        value: {
          typeUrl: "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
          value: Buffer.alloc(0), // it has no fields
        },
      },
    },
  ],
  hostSelectionRetryMaxAttempts: 10n,
};

/** The routes of a service: every call goes to its cluster, or to those that its calls are split between. */
export function buildRoutes(service: Service, kind: ClientKind): RouteConfiguration {
  const { name } = service;
  const match = { pathSpecifier: { $case: "prefix", value: "/" } } as const;
  const route = { match, action: { $case: "route", value: buildAction(service, kind) } } as const;
  return RouteConfiguration.fromPartial({ name, virtualHosts: [{ name, domains: ["*"], routes: [route] }] });
}

function buildAction({ name, route, backend }: Service, kind: ClientKind): RouteActionMessage {
  const { timeoutMs, retries, hashHeader } = route;
  const duration = timeoutMs === undefined ? undefined : toDuration(timeoutMs);
  const retryPolicy = buildRetryPolicy(retries, kind);
  return RouteAction.fromPartial({
    clusterSpecifier: backend.t === "backend" ? { $case: "cluster", value: name } : split(backend.parts),
    // Envoy's own default is 15 s, streams included. gRPC reads the other field alone (gRFC A31).
    ...(kind === "envoy" && { timeout: duration ?? noTimeout }),
    ...(duration && { maxStreamDuration: { maxStreamDuration: duration } }),
    ...(retryPolicy && { retryPolicy }),
    ...(hashHeader !== undefined && {
      hashPolicy: [{ policySpecifier: { $case: "header", value: { headerName: hashHeader } } }],
    }),
  });
}

/** A part of weight 0 is left out: its cluster stays, so that a later change of the weights finds its connections. */
const split = (parts: readonly { readonly service: string; readonly weight: number }[]) =>
  ({
    $case: "weightedClusters",
    value: {
      clusters: parts.filter(({ weight }) => weight > 0).map(({ service: name, weight }) => ({ name, weight })),
    },
  }) as const;

function buildRetryPolicy(retries: Retries | undefined, kind: ClientKind): RetryPolicy | undefined {
  const conditions = [...(retries?.on ?? []), ...(kind === "envoy" ? [notSent] : [])];
  if (conditions.length === 0) return undefined;
  return {
    ...{ retryOn: conditions.join(","), numRetries: retries?.attempts ?? notSentAttempts },
    ...{ perTryTimeout: undefined, retriableStatusCodes: [] },
    ...(kind === "envoy" ? elsewhere : { retryHostPredicate: [], hostSelectionRetryMaxAttempts: 0n }),
    retryBackOff: retries && {
      baseInterval: toDuration(retries.baseBackoffMs),
      maxInterval: toDuration(retries.maxBackoffMs),
    },
  };
}
