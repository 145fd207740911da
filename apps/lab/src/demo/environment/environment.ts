import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom } from "@grpc-lb/core";
import type { PodServer } from "../../processes/pod-server.ts";
import type { RegistryTargets } from "../registries/registry.ts";
import type { Addresses } from "../strategies.ts";
import { startConnectionProxy } from "./connection-proxy.ts";
import { startDnsServer } from "./dns-server.ts";
import { startFakeCluster } from "./fake-cluster.ts";

/** Everything through which clients find or reach the servers and that runs in this process. */
export interface Environment {
  readonly addresses: Addresses;
  close(): Promise<void>;
}

/** Options of `startEnvironment`. */
export interface EnvironmentOptions {
  readonly servers: readonly PodServer[];
  /** The seed of the Service's random picks. */
  readonly seed: number;
  /** Where files may be written. */
  readonly folder: string;
  /** The registries that the servers registered at. */
  readonly registries: RegistryTargets;
}

/** Starts the Service, the Kubernetes API and the DNS server, and writes the endpoints file. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { servers, seed, folder, registries } = options;
  const started: { close(): Promise<void> }[] = [];
  const close = async () => {
    await Promise.all(started.map((each) => each.close()));
  };
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    started.push(each);
    return each;
  };
  // Each proxy has its own random source, so the picks of one do not depend on the calls through the other.
  const startService = (port: "httpPort" | "grpcPort", ownSeed: number) => {
    const backends = servers.map((server) => ({ host: "127.0.0.1", port: server[port] }));
    return startConnectionProxy({ backends, random: createRandom(ownSeed) });
  };
  try {
    const http = keep(await startService("httpPort", seed));
    const grpc = keep(await startService("grpcPort", seed + 1));
    const cluster = keep(await startFakeCluster(servers, folder));
    const dns = keep(await startDnsServer(servers));
    const addresses: Addresses = {
      serviceHttpPort: http.port,
      serviceGrpcPort: grpc.port,
      podGrpcPorts: servers.map((server) => server.grpcPort),
      kubeconfig: cluster.kubeconfig,
      dnsPort: dns.port,
      endpointsFile: await writeEndpointsFile(servers, folder),
      registries,
    };
    return { addresses, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Writes the file that the strategy `file` watches; returns its path. */
async function writeEndpointsFile(servers: readonly PodServer[], folder: string): Promise<string> {
  const path = join(folder, "endpoints.yaml");
  const entries = servers.map(({ podName, grpcPort }) => {
    return `- address: 127.0.0.1:${grpcPort}\n  metadata: { podName: ${podName} }\n`;
  });
  await writeFile(path, `# the servers of the lab\n${entries.join("")}`);
  return path;
}
