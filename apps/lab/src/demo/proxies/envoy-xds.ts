import { writeFile } from "node:fs/promises";
import { envoy, envoyBootstrapOf, http2Options, socketAddress } from "./envoy.ts";
import type { ProxyKind } from "./l7-proxy.ts";

/** Envoy that has its listener, routes, cluster and endpoints from the control plane. */
export function envoyFromControlPlane(controlPlanePort: number): ProxyKind {
  return {
    name: "envoy-xds",
    program: "envoy",
    args: envoy.args,
    async prepare(place) {
      await writeFile(envoyBootstrapOf(place), JSON.stringify(controlPlaneBootstrap(controlPlanePort)));
    },
  };
}

/** Where Envoy finds the control plane; it has everything else from there, by one stream of deltas. */
export function controlPlaneBootstrap(controlPlanePort: number): object {
  const name = "control-plane";
  const fromStream = { ads: {}, resource_api_version: "V3" };
  const endpoint = { address: socketAddress(controlPlanePort) };
  const cluster = {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    typed_extension_protocol_options: http2Options,
  };
  return {
    node: { id: "lab", cluster: "lab" },
    dynamic_resources: {
      lds_config: fromStream,
      cds_config: fromStream,
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: name } }],
      },
    },
    static_resources: { clusters: [cluster] },
  };
}
