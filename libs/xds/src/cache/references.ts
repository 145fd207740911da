import { type Cluster, Cluster_DiscoveryType } from "@grpc-lb/protos/envoy/config/cluster/v3";
import type { ConfigSource } from "@grpc-lb/protos/envoy/config/core/v3";
import type { Listener } from "@grpc-lb/protos/envoy/config/listener/v3";
import type { RouteConfiguration } from "@grpc-lb/protos/envoy/config/route/v3";
import { ClusterConfig } from "@grpc-lb/protos/envoy/extensions/clusters/aggregate/v3";
import { HttpConnectionManager } from "@grpc-lb/protos/envoy/extensions/filters/network/http_connection_manager/v3";
import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import { typeUrls } from "../type-urls.ts";

/** A resource that another one names. */
export interface Reference {
  readonly typeUrl: string;
  readonly name: string;
}

const managerType =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const aggregateType = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig";

/** The routes that a listener names, and the clusters of routes that stand in it. */
export function listenerReferences({ apiListener, filterChains }: Listener): Reference[] {
  const filters = filterChains.flatMap((chain) => chain.filters.map(({ configType }) => configType?.value));
  return [apiListener?.apiListener, ...filters].flatMap((config) => (config ? managerReferences(config) : []));
}

/** The clusters that routes send calls to. */
export function routeReferences({ virtualHosts }: RouteConfiguration): Reference[] {
  return virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) => {
      if (action?.$case !== "route") return [];
      const target = action.value.clusterSpecifier;
      if (target?.$case === "cluster") return [clusterNamed(target.value)];
      return target?.$case === "weightedClusters" ? target.value.clusters.map(({ name }) => clusterNamed(name)) : [];
    }),
  );
}

/** The endpoints of a cluster that finds them by EDS, or the clusters of an aggregate. */
export function clusterReferences({ name, clusterDiscoveryType, edsClusterConfig }: Cluster): Reference[] {
  if (clusterDiscoveryType?.$case === "clusterType") {
    const config = clusterDiscoveryType.value.typedConfig;
    return config?.typeUrl === aggregateType ? ClusterConfig.decode(config.value).clusters.map(clusterNamed) : [];
  }
  if (clusterDiscoveryType?.value !== Cluster_DiscoveryType.EDS || !isServedHere(edsClusterConfig?.edsConfig))
    return [];
  return [{ typeUrl: typeUrls.endpoints, name: edsClusterConfig?.serviceName || name }];
}

function managerReferences({ typeUrl, value }: Any): Reference[] {
  if (typeUrl !== managerType) return [];
  const routes = HttpConnectionManager.decode(value).routeSpecifier;
  if (routes?.$case === "routeConfig") return routeReferences(routes.value);
  if (routes?.$case !== "rds" || !isServedHere(routes.value.configSource)) return [];
  return [{ typeUrl: typeUrls.route, name: routes.value.routeConfigName }];
}

function clusterNamed(name: string): Reference {
  return { typeUrl: typeUrls.cluster, name };
}

function isServedHere(source: ConfigSource | undefined): boolean {
  const kind = source?.configSourceSpecifier?.$case;
  return kind === "ads" || kind === "self";
}
