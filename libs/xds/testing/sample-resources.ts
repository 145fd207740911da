import { Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from "@grpc-lb/protos/envoy/config/cluster/v3";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { Listener } from "@grpc-lb/protos/envoy/config/listener/v3";
import { RouteConfiguration } from "@grpc-lb/protos/envoy/config/route/v3";
import { Router } from "@grpc-lb/protos/envoy/extensions/filters/http/router/v3";
import { HttpConnectionManager } from "@grpc-lb/protos/envoy/extensions/filters/network/http_connection_manager/v3";
import { HttpProtocolOptions } from "@grpc-lb/protos/envoy/extensions/upstreams/http/v3";
import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import {
  clusterResource,
  endpointsResource,
  listenerResource,
  type Resource,
  routeResource,
} from "../src/cache/index.ts";

const ads = { configSourceSpecifier: { $case: "ads", value: {} }, resourceApiVersion: 2 } as const;

function any(type: string, bytes: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/envoy.extensions.${type}`, value: Buffer.from(bytes) };
}

/** Where a listener of Envoy is; one without it is for clients of gRPC. */
export interface SampleListenerOptions {
  readonly port?: number;
  readonly route?: string;
}

/** A listener with routes from RDS. */
export function sampleListener(name: string, { port, route = `${name}-route` }: SampleListenerOptions = {}): Resource {
  const manager = HttpConnectionManager.fromPartial({
    codecType: port === undefined ? 0 : 2,
    statPrefix: name,
    routeSpecifier: { $case: "rds", value: { configSource: ads, routeConfigName: route } },
    httpFilters: [
      {
        name: "router",
        configType: {
          $case: "typedConfig",
          value: any("filters.http.router.v3.Router", Router.encode(Router.fromPartial({})).finish()),
        },
      },
    ],
  });
  const bytes = HttpConnectionManager.encode(manager).finish();
  const config = any("filters.network.http_connection_manager.v3.HttpConnectionManager", bytes);
  if (port === undefined) return listenerResource(Listener.fromPartial({ name, apiListener: { apiListener: config } }));
  const filter = { name: "http", configType: { $case: "typedConfig", value: config } } as const;
  return listenerResource(
    Listener.fromPartial({ name, address: address("127.0.0.1", port), filterChains: [{ filters: [filter] }] }),
  );
}

/** Routes that send all calls to clusters, by weight. */
export function sampleRoute(name: string, weights: Readonly<Record<string, number>>): Resource {
  const clusters = Object.entries(weights).map(([cluster, weight]) => ({ name: cluster, weight }));
  const target = { $case: "weightedClusters", value: { clusters } } as const;
  const route = {
    match: { pathSpecifier: { $case: "prefix", value: "" } },
    action: { $case: "route", value: { clusterSpecifier: target } },
  } as const;
  return routeResource(
    RouteConfiguration.fromPartial({ name, virtualHosts: [{ name, domains: ["*"], routes: [route] }] }),
  );
}

/** A cluster with endpoints from EDS, in the form that both gRPC and Envoy take. @param connectSeconds changes the cluster, for tests of changes */
export function sampleCluster(name: string, connectSeconds = 5): Resource {
  const http = HttpProtocolOptions.fromPartial({
    upstreamProtocolOptions: {
      $case: "explicitHttpConfig",
      value: { protocolConfig: { $case: "http2ProtocolOptions", value: {} } },
    },
  });
  const key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return clusterResource(
    Cluster.fromPartial({
      name,
      clusterDiscoveryType: { $case: "type", value: Cluster_DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: ads },
      connectTimeout: { seconds: BigInt(connectSeconds), nanos: 0 },
      lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
      commonLbConfig: { localityConfigSpecifier: { $case: "localityWeightedLbConfig", value: {} } },
      lrsServer: { configSourceSpecifier: { $case: "self", value: {} } },
      typedExtensionProtocolOptions: {
        [key]: any("upstreams.http.v3.HttpProtocolOptions", HttpProtocolOptions.encode(http).finish()),
      },
    }),
  );
}

/** A cluster that every client rejects: it has a policy that there is not. */
export function brokenCluster(name: string): Resource {
  const typedConfig = { typeUrl: "type.googleapis.com/none.v1.None", value: Buffer.alloc(0) };
  return clusterResource(
    Cluster.fromPartial({
      name,
      clusterDiscoveryType: { $case: "type", value: Cluster_DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: ads },
      loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name: "none", typedConfig } }] },
    }),
  );
}

/** The endpoints of a cluster on this machine, in one locality. */
export function sampleEndpoints(clusterName: string, ports: readonly number[]): Resource {
  return endpointsResource(
    ClusterLoadAssignment.fromPartial({
      clusterName,
      endpoints: [
        {
          locality: { region: "r", zone: "z" },
          loadBalancingWeight: 1,
          lbEndpoints: ports.map((port) => ({
            hostIdentifier: { $case: "endpoint", value: { address: address("127.0.0.1", port) } },
          })),
        },
      ],
    }),
  );
}

function address(host: string, port: number) {
  const portSpecifier = { $case: "portValue", value: port } as const;
  return { address: { $case: "socketAddress", value: { address: host, portSpecifier } } } as const;
}
