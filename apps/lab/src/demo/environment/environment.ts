import { createRandom } from "@grpc-lb/core";
import type { PodServer } from "../../processes/pod-server.ts";
import type { RegistryTargets } from "../registries/registry.ts";
import type { Addresses } from "../strategies.ts";
import { startConnectionProxy } from "./connection-proxy.ts";
import { startNameServer } from "./dns-server.ts";
import { writeEndpointsFile } from "./endpoints-file.ts";
import { startFakeCluster } from "./fake-cluster.ts";

/** What stands between clients and servers in the lab's own process: by it the clients find the servers. */
export interface Places {
  readonly addresses: Addresses;
  close(): Promise<void>;
}

/** What Places are made of. */
export interface PlacesOptions {
  readonly servers: readonly PodServer[];
  /** Of the Service's random picks. */
  readonly seed: number;
  /** Where files may be written. */
  readonly folder: string;
  /** The registries in which the servers stand. */
  readonly registries: RegistryTargets;
}

/** Starts the Service, the Kubernetes API and the name server, and writes the file of endpoints. */
export async function startPlaces({ servers, seed, folder, registries }: PlacesOptions): Promise<Places> {
  const started: { close(): Promise<void> }[] = [];
  const close = async () => {
    await Promise.all(started.map((each) => each.close()));
  };
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    started.push(each);
    return each;
  };
  // Each proxy draws for itself, so that the picks of one do not depend on when the other is called.
  const startService = (port: "httpPort" | "grpcPort", ownSeed: number) => {
    const backends = servers.map((server) => ({ host: "127.0.0.1", port: server[port] }));
    return startConnectionProxy({ backends, random: createRandom(ownSeed) });
  };
  try {
    const http = keep(await startService("httpPort", seed));
    const grpc = keep(await startService("grpcPort", seed + 1));
    const cluster = keep(await startFakeCluster(servers, folder));
    const names = keep(await startNameServer(servers));
    const addresses: Addresses = {
      serviceHttpPort: http.port,
      serviceGrpcPort: grpc.port,
      podGrpcPorts: servers.map((server) => server.grpcPort),
      kubeconfig: cluster.kubeconfig,
      dnsPort: names.port,
      endpointsFile: await writeEndpointsFile(servers, folder),
      registries,
    };
    return { addresses, close };
  } catch (error) {
    await close();
    throw error;
  }
}
