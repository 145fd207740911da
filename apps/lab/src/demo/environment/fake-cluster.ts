import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";
import type { PodServer } from "../../processes/pod-server.ts";

/** The Kubernetes API that the strategy `resolver` watches. */
export interface FakeCluster {
  /** The path of a kubeconfig for this API. */
  readonly kubeconfig: string;
  /** Makes these servers the pods of the Service; watches get an event. */
  update(servers: readonly PodServer[]): void;
  /** Ends all connections and stops listening. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Starts an API server whose Service `server` has the given servers as its pods. Writes the kubeconfig into `folder`. */
export async function startFakeCluster(servers: readonly PodServer[], folder: string): Promise<FakeCluster> {
  const api = await FakeApiServer.start();
  let names: readonly string[] = [];
  const update = (current: readonly PodServer[]) => {
    const slices = current.map(sliceOf);
    const gone = names.filter((name) => !slices.some(({ metadata }) => metadata.name === name));
    api.batch(() => {
      for (const name of gone) api.deleteSlice(name);
      api.putSlice(...slices.filter(({ metadata }) => !names.includes(metadata.name)));
    });
    names = slices.map(({ metadata }) => metadata.name);
  };
  update(servers);

  const kubeconfig = join(folder, "kubeconfig");
  const cluster = { server: api.access.server.href, "insecure-skip-tls-verify": true }; // the API is plain HTTP
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "lab",
    contexts: [{ name: "lab", context: { cluster: "lab", user: "lab" } }],
    clusters: [{ name: "lab", cluster }],
    users: [{ name: "lab", user: {} }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  return { kubeconfig, update, stop: () => api.stop(), start: () => api.start(), close: () => api.close() };
}

function sliceOf({ podName, httpPort, grpcPort }: PodServer) {
  return slice({
    service: "server",
    name: `server-of-${podName}`,
    addresses: [{ address: "127.0.0.1", pod: podName }],
    ports: [
      { name: "http", port: httpPort },
      { name: "grpc", port: grpcPort },
    ],
  });
}
