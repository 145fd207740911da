import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  OutlierDetection,
  type OutlierDetection as OutlierDetectionMessage,
} from "@grpc-lb/protos/envoy/config/cluster/v3";
import { HttpProtocolOptions } from "@grpc-lb/protos/envoy/extensions/upstreams/http/v3";
import type { Backend, OutlierDetection as OutlierDetectionConfig } from "../config/config.ts";
import type { Policy } from "../config/policy.ts";
import type { ClientKind } from "./client-kind.ts";
import { ads, self } from "./constants.ts";
import { buildLoadBalancingPolicy } from "./load-balancing-policy.ts";
import { pack, toDuration } from "./pack.ts";

const connectTimeoutMs = 1_000;
const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** The cluster of a service, whose endpoints are in EDS under the same name. */
export function buildCluster(name: string, backend: Backend, kind: ClientKind): Cluster {
  const { policy, outlierDetection, circuitBreaker, localities, steering } = backend;
  const weighsLocalities = [...localities.values()].some(({ weight }) => weight !== undefined);
  const loadBalancingPolicy = buildLoadBalancingPolicy(policy, kind, weighsLocalities);
  return Cluster.fromPartial({
    name,
    clusterDiscoveryType: { $case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads, serviceName: name },
    // For clients that do not read the list of policies, and where there is none.
    lbPolicy: lbPolicyOf(policy, kind),
    ...(loadBalancingPolicy && { loadBalancingPolicy }),
    circuitBreakers: { thresholds: [{ ...circuitBreaker }] },
    ...(outlierDetection && { outlierDetection: buildOutlierDetection(outlierDetection) }),
    ...(steering.by === "lrs" && { lrsServer: self }),
    ...(kind === "envoy" && {
      connectTimeout: toDuration(connectTimeoutMs),
      // A pod that is gone from EDS gets no more calls, whatever its health was.
      ignoreHealthOnHostRemoval: true,
      // Envoy would collect ejections for a second, and meanwhile call a priority whose endpoints are all ejected.
      commonLbConfig: { updateMergeWindow: toDuration(0) },
      typedExtensionProtocolOptions: { [protocolOptions]: http2 },
    }),
  });
}

function lbPolicyOf(policy: Policy, kind: ClientKind): Cluster_LbPolicy {
  if (kind === "envoy" && policy.t === "maglev") return Cluster_LbPolicy.MAGLEV;
  return policy.t === "ring_hash" || policy.t === "maglev" ? Cluster_LbPolicy.RING_HASH : Cluster_LbPolicy.ROUND_ROBIN;
}

const http2 = pack(
  protocolOptions,
  HttpProtocolOptions,
  HttpProtocolOptions.fromPartial({
    upstreamProtocolOptions: {
      $case: "explicitHttpConfig",
      value: { protocolConfig: { $case: "http2ProtocolOptions", value: {} } },
    },
  }),
);

/**
 * What is not configured is switched off by a 0: the defaults of xDS would switch it on, and grpc-js-xds 1.14.1 ends the process of
 * a client that gets no fields for the success rate.
 */
function buildOutlierDetection(config: OutlierDetectionConfig): OutlierDetectionMessage {
  const { intervalMs, baseEjectionTimeMs, maxEjectionTimeMs, maxEjectionPercent } = config;
  const { consecutiveErrors, failurePercentage, successRate } = config;
  return OutlierDetection.fromPartial({
    interval: toDuration(intervalMs),
    baseEjectionTime: toDuration(baseEjectionTimeMs),
    maxEjectionTime: toDuration(maxEjectionTimeMs),
    maxEjectionPercent,
    // As gRPC does (gRFC A50). Without it, 10 % of fewer than ten endpoints is none for Envoy.
    alwaysEjectOneHost: true,
    consecutive5xx: consecutiveErrors ?? 5,
    enforcingConsecutive5xx: consecutiveErrors === undefined ? 0 : 100,
    consecutiveGatewayFailure: consecutiveErrors ?? 5,
    enforcingConsecutiveGatewayFailure: 0,
    enforcingSuccessRate: successRate ? 100 : 0,
    successRateStdevFactor: successRate?.stdevFactor ?? 1_900,
    successRateMinimumHosts: successRate?.minimumHosts ?? 5,
    successRateRequestVolume: successRate?.requestVolume ?? 100,
    enforcingFailurePercentage: failurePercentage ? 100 : 0,
    failurePercentageThreshold: failurePercentage?.threshold ?? 85,
    failurePercentageMinimumHosts: failurePercentage?.minimumHosts ?? 5,
    failurePercentageRequestVolume: failurePercentage?.requestVolume ?? 50,
  });
}
