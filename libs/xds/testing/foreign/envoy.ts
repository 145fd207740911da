import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client, credentials } from "@grpc/grpc-js";
import { watchChild } from "@grpc-lb/program/testing";
import type { ForeignClient, ForeignClientOptions } from "./clients.ts";
import { callPod } from "./pod.ts";

/** Envoy with one thread, and a client of gRPC that calls it. */
export function startEnvoy(path: string, apiType: "GRPC" | "DELTA_GRPC") {
  return async ({ controlPlanePort, listenerPort }: ForeignClientOptions): Promise<ForeignClient> => {
    const folder = await mkdtemp(join(tmpdir(), "grpc-lb-envoy-"));
    const [config, adminFile] = [join(folder, "envoy.json"), join(folder, "admin")];
    await writeFile(config, JSON.stringify(envoyConfig(apiType, controlPlanePort)));
    const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const args = ["--config-path", config, "--admin-address-path", adminFile, ...flags];
    const program = watchChild({ command: path, args, env: {} });
    for (let tries = 0; tries < 400 && !(await isLive(adminFile)); tries++) await delay(50);
    const client = new Client(`127.0.0.1:${listenerPort}`, credentials.createInsecure());
    return {
      call: (user = "") => callPod(client, user),
      async close() {
        client.close();
        await program.stop();
        await rm(folder, { recursive: true });
      },
    };
  };
}

async function isLive(adminFile: string): Promise<boolean> {
  if (!existsSync(adminFile)) return false;
  try {
    return (await fetch(`http://${await readFile(adminFile, "utf8")}/ready`)).ok;
  } catch {
    return false; // it has not got so far
  }
}

function envoyConfig(apiType: string, port: number): object {
  const fromAds = { ads: {}, resource_api_version: "V3" };
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const endpoint = { address: { socket_address: { address: "127.0.0.1", port_value: port } } };
  const cluster = {
    name: "xds",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
    load_assignment: { cluster_name: "xds", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
  const backOff = { base_interval: "0.25s", max_interval: "5s" };
  const services = [{ envoy_grpc: { cluster_name: "xds", retry_policy: { retry_back_off: backOff } } }];
  return {
    node: { id: "tester", cluster: "tests" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      ads_config: { api_type: apiType, transport_api_version: "V3", grpc_services: services },
      cds_config: fromAds,
      lds_config: fromAds,
    },
    cluster_manager: {
      load_stats_config: { api_type: "GRPC", transport_api_version: "V3", grpc_services: services },
    },
    static_resources: { clusters: [cluster] },
  };
}
