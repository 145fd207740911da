import { formatHostPort } from "@grpc-lb/core";
import type { Address } from "@grpc-lb/protos/envoy/config/core/v3";
import { Locality } from "@grpc-lb/protos/envoy/config/core/v3";
import type {
  ClusterStats,
  EndpointLoadMetricStats,
  UnnamedEndpointLoadMetricStats,
  UpstreamEndpointStats,
  UpstreamLocalityStats,
} from "@grpc-lb/protos/envoy/config/endpoint/v3";
import type { ClientNode } from "./client-node.ts";
import type { ClusterLoadReport, EndpointLoadReport, LoadCounts, LocalityLoadReport } from "./load.ts";

/** Reads the report of a cluster. What has no meaning is left out: values that are not finite numbers, endpoints without an address. */
export function readClusterLoad(node: ClientNode, stats: ClusterStats): ClusterLoadReport {
  const { seconds = 0n, nanos = 0 } = stats.loadReportInterval ?? {};
  return {
    node,
    cluster: stats.clusterName,
    service: stats.clusterServiceName,
    intervalMs: Math.max(0, Number(seconds) * 1_000 + nanos / 1_000_000),
    localities: stats.upstreamLocalityStats.map(readLocality),
    dropped: Number(stats.totalDroppedRequests),
  };
}

function readLocality(stats: UpstreamLocalityStats): LocalityLoadReport {
  return {
    locality: stats.locality ?? Locality.fromPartial({}),
    priority: stats.priority,
    endpoints: stats.upstreamEndpointStats.flatMap(readEndpoint),
    ...readCounts(stats, {
      cpu_utilization: stats.cpuUtilization,
      mem_utilization: stats.memUtilization,
      application_utilization: stats.applicationUtilization,
    }),
  };
}

function readEndpoint(stats: UpstreamEndpointStats): EndpointLoadReport[] {
  const address = readAddress(stats.address);
  return address === undefined ? [] : [{ address, ...readCounts(stats, {}) }];
}

function readAddress(address: Address | undefined): string | undefined {
  if (address?.address?.$case !== "socketAddress") return undefined;
  const { address: host, portSpecifier } = address.address.value;
  if (host === "" || portSpecifier === undefined) return undefined;
  return formatHostPort(host, portSpecifier.value);
}

function readCounts(
  stats: UpstreamLocalityStats | UpstreamEndpointStats,
  unnamed: Readonly<Record<string, UnnamedEndpointLoadMetricStats | undefined>>,
): LoadCounts {
  const metrics: Record<string, { calls: number; total: number }> = Object.create(null);
  const add = (
    name: string,
    metric: Pick<EndpointLoadMetricStats, "numRequestsFinishedWithMetric" | "totalMetricValue">,
  ) => {
    if (!Number.isFinite(metric.totalMetricValue)) return;
    metrics[name] = { calls: Number(metric.numRequestsFinishedWithMetric), total: metric.totalMetricValue };
  };
  for (const [name, metric] of Object.entries(unnamed)) if (metric) add(name, metric);
  for (const metric of stats.loadMetricStats) add(metric.metricName, metric);
  return {
    succeeded: Number(stats.totalSuccessfulRequests),
    failed: Number(stats.totalErrorRequests),
    inProgress: Number(stats.totalRequestsInProgress),
    issued: Number(stats.totalIssuedRequests),
    metrics,
  };
}
