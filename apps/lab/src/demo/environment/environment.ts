import { createRandom } from "@grpc-lb/core";
import type { Pod } from "../pods.ts";
import type { Proxies } from "../proxies/start-proxies.ts";
import type { RegistryTargets } from "../registries/registry.ts";
import type { Addresses } from "../strategies.ts";
import { startConnectionProxy } from "./connection-proxy.ts";
import type { ControlPlanePorts } from "./control-plane.ts";
import { startDnsServer } from "./dns-server.ts";
import { EndpointsFile } from "./endpoints-file.ts";
import { startFakeCluster } from "./fake-cluster.ts";

/** Everything through which clients find or reach the pods and that runs in this process. */
export interface Environment {
  readonly addresses: Addresses;
  /** Publishes these pods; while it is away, when it comes back. */
  update(pods: readonly Pod[]): Promise<void>;
  /** The Kubernetes API, the DNS server and the file stop, and Service and proxies get no updates, as kube-proxy gets none. */
  leave(): Promise<void>;
  /** They come back, with the pods of the last `update`. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

/** Options of `startEnvironment`. */
export interface EnvironmentOptions {
  readonly pods: readonly Pod[];
  /** The seed of the Service's random picks. */
  readonly seed: number;
  /** Where files may be written. */
  readonly folder: string;
  /** The registries that the pods registered at. */
  readonly registries: RegistryTargets;
  /** The proxies in front of the pods; they learn of pods as the Service does. */
  readonly proxies: Proxies;
  /** See `Addresses.controlPlane`. */
  readonly controlPlane: ControlPlanePorts;
  /** Receives the pods whenever they are published, first when the environment starts. */
  onPublished?(pods: readonly Pod[]): void;
}

/** Starts the Service, the Kubernetes API and the DNS server, and writes the endpoints file. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { pods, seed, folder, registries, proxies, controlPlane, onPublished } = options;
  const started: { close(): Promise<void> }[] = [];
  const close = async () => {
    await Promise.all(started.map((each) => each.close()));
  };
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    started.push(each);
    return each;
  };
  // Each proxy has its own random source, so the picks of one do not depend on the calls through the other.
  const startService = (port: ServicePort, ownSeed: number) =>
    startConnectionProxy({ backends: backendsOf(pods, port), random: createRandom(ownSeed) });
  try {
    const http = keep(await startService("http", seed));
    const grpc = keep(await startService("grpc", seed + 1));
    const aging = keep(await startService("aging", seed + 2));
    // As kube-proxy on each of two nodes; a load balancer outside the cluster spreads connections over the nodes.
    const nodes = [keep(await startService("grpc", seed + 3)), keep(await startService("grpc", seed + 4))];
    const backends = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
    const balancer = keep(await startConnectionProxy({ backends, random: createRandom(seed + 5) }));
    const cluster = keep(await startFakeCluster(pods, folder));
    const dns = keep(await startDnsServer(pods));
    const file = new EndpointsFile(folder);
    await file.write(pods);
    const addresses: Addresses = {
      serviceHttpPort: http.port,
      serviceGrpcPort: grpc.port,
      serviceAgingPort: aging.port,
      nodePort: nodes[0]?.port ?? 0,
      loadBalancerPort: balancer.port,
      podGrpcPorts: pods.map((pod) => pod.grpcPort),
      kubeconfig: cluster.kubeconfig,
      dnsPort: dns.port,
      endpointsFile: file.path,
      registries,
      proxies: proxies.ports,
      controlPlane,
    };

    let current = pods;
    let isAway = false;
    const publish = async () => {
      http.setBackends(backendsOf(current, "http"));
      for (const service of [grpc, ...nodes]) service.setBackends(backendsOf(current, "grpc"));
      aging.setBackends(backendsOf(current, "aging"));
      cluster.update(current);
      dns.update(current);
      await Promise.all([file.write(current), proxies.update(current)]);
      onPublished?.(current);
    };
    onPublished?.(pods);
    return {
      addresses,
      async update(next) {
        current = next;
        if (!isAway) await publish();
      },
      async leave() {
        if (isAway) return;
        isAway = true;
        await Promise.all([cluster.stop(), dns.stop(), file.remove()]);
      },
      async comeBack() {
        if (!isAway) return;
        isAway = false;
        await publish();
        await Promise.all([cluster.start(), dns.start()]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type ServicePort = "http" | "grpc" | "aging";

function backendsOf(pods: readonly Pod[], port: ServicePort) {
  const ports = pods.map(({ httpPort, grpcPort, aging }) => {
    return { http: httpPort, grpc: grpcPort, aging: aging?.grpcPort ?? grpcPort }[port];
  });
  return ports.map((port) => ({ host: "127.0.0.1", port }));
}
