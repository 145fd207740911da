import { Listener } from "@grpc-lb/protos/envoy/config/listener/v3";
import { Router } from "@grpc-lb/protos/envoy/extensions/filters/http/router/v3";
import { HttpConnectionManager } from "@grpc-lb/protos/envoy/extensions/filters/network/http_connection_manager/v3";
import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import type { Service } from "../config/config.ts";
import type { ClientKind } from "./client-kind.ts";
import { ads, noTimeout } from "./constants.ts";
import { pack } from "./pack.ts";

const managerName = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/**
 * The listener of a service: for gRPC one that clients find by the service's name (gRFC A27), for Envoy a socket on the configured
 * port, and undefined where there is none. Its routes are in RDS under the same name. Nothing else in it depends on the
 * configuration: grpc-js-xds would see a change only with the next one of another resource.
 */
export function buildListener(service: Service, kind: ClientKind): Listener | undefined {
  const { name, route } = service;
  if (kind === "grpc") return Listener.fromPartial({ name, apiListener: { apiListener: buildManager(name) } });
  if (route.envoyPort === undefined) return undefined;
  const filter = {
    name: "envoy.filters.network.http_connection_manager",
    configType: { $case: "typedConfig", value: buildManager(name) },
  } as const;
  return Listener.fromPartial({
    name,
    address: {
      address: {
        $case: "socketAddress",
        value: { address: route.envoyAddress, portSpecifier: { $case: "portValue", value: route.envoyPort } },
      },
    },
    filterChains: [{ filters: [filter] }],
  });
}

function buildManager(name: string): Any {
  const router = pack("envoy.extensions.filters.http.router.v3.Router", Router, Router.fromPartial({}));
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: name,
    routeSpecifier: { $case: "rds", value: { configSource: ads, routeConfigName: name } },
    // Envoy would end streams without messages for 5 minutes.
    streamIdleTimeout: noTimeout,
    httpFilters: [{ name: "envoy.filters.http.router", configType: { $case: "typedConfig", value: router } }],
  });
  return pack(managerName, HttpConnectionManager, manager);
}
