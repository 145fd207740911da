import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodServer } from "../../processes/pod-server.ts";
import type { ProxyKind, ProxyPlace } from "./l7-proxy.ts";

/** Takes turns. */
const cluster = "pods";
/** Keeps the calls of one key on one pod. */
const clusterByKey = "pods-by-key";
/** The header of the key: what `client-grpc --hash-key` sends. */
const keyHeader = "hash-key";
const discoveryOf = ({ folder }: ProxyPlace) => join(folder, "eds.json");
/** The file of Envoy's static configuration. */
export const envoyBootstrapOf = ({ folder }: ProxyPlace) => join(folder, "envoy.json");

/** Envoy with its endpoints in a file that it watches, as a control plane would send them. */
export const envoy: ProxyKind = {
  name: "envoy",
  program: "envoy",
  // One worker takes all connections, so that round robin is one turn.
  args: (place) => [
    ...["-c", envoyBootstrapOf(place), "--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart"],
    ...["--log-level", "warning"],
  ],
  async prepare(place) {
    await writeFile(envoyBootstrapOf(place), JSON.stringify(bootstrap(place)));
  },
  async writePods(pods, place) {
    const path = discoveryOf(place);
    await writeFile(`${path}.next`, JSON.stringify(discoveryResponse(pods)));
    await rename(`${path}.next`, path); // Envoy watches for moves
  },
};

const typeUrl = (name: string) => `type.googleapis.com/${name}`;

/** An address of 127.0.0.1. */
export const socketAddress = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

const optionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** The options of a cluster that speaks HTTP/2, in clear. */
export const http2Options = {
  [optionsName]: { "@type": typeUrl(optionsName), explicit_http_config: { http2_protocol_options: {} } },
};

/** Envoy's static configuration. */
export function bootstrap(place: ProxyPlace): object {
  const manager = {
    "@type": typeUrl("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "lab",
    codec_type: "HTTP2",
    route_config: {
      virtual_hosts: [{ name: "pods", domains: ["*"], routes: routes() }],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": typeUrl("envoy.extensions.filters.http.router.v3.Router") },
      },
    ],
  };
  const listener = {
    name: "grpc",
    address: socketAddress(place.port),
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
  const clusterOf = (name: string, policy: object) => ({
    name,
    type: "EDS",
    connect_timeout: "1s",
    ...policy,
    eds_cluster_config: {
      service_name: cluster,
      eds_config: { path_config_source: { path: discoveryOf(place) }, resource_api_version: "V3" },
    },
    typed_extension_protocol_options: http2Options,
  });
  const clusters = [
    clusterOf(cluster, { lb_policy: "ROUND_ROBIN" }),
    clusterOf(clusterByKey, { lb_policy: "RING_HASH" }),
  ];
  return {
    node: { id: "lab", cluster: "lab" },
    static_resources: { listeners: [listener], clusters },
  };
}

function routes(): object[] {
  // A call that no pod has taken yet is sent to another one; one that a pod may have answered is not.
  const retry = { timeout: "0s", retry_policy: { retry_on: "connect-failure,refused-stream", num_retries: 2 } };
  const byKey = { cluster: clusterByKey, hash_policy: [{ header: { header_name: keyHeader } }], ...retry };
  return [
    { match: { prefix: "/", headers: [{ name: keyHeader, present_match: true }] }, route: byKey },
    { match: { prefix: "/" }, route: { cluster, ...retry } },
  ];
}

/** The endpoints as a control plane sends them. */
export function discoveryResponse(pods: readonly PodServer[]): object {
  const endpoints = pods.map(({ grpcPort }) => ({ endpoint: { address: socketAddress(grpcPort) } }));
  const assignment = {
    "@type": typeUrl("envoy.config.endpoint.v3.ClusterLoadAssignment"),
    cluster_name: cluster,
    endpoints: [{ lb_endpoints: endpoints }],
  };
  return { resources: [assignment] };
}
