import type { ApiAccess } from "@grpc-lb/discovery/kubernetes";
import { createKubernetesSource } from "@grpc-lb/discovery/kubernetes";

/** The pods that the Service sends calls to, with their zones; empty for an unknown zone. */
export type PublishedPods = ReadonlyMap<string, string>;

/** Where the Service is, and who takes its changes. */
export interface EndpointsOptions {
  readonly access: ApiAccess;
  readonly namespace: string;
  onPublished(pods: PublishedPods): void;
  /** Takes the reason while the EndpointSlices cannot be read, and an empty text when they can again. */
  warn(text: string): void;
}

/** Watches the Service's EndpointSlices, as the clients of the strategy `resolver` do, until `signal` is aborted. */
export async function watchEndpoints(options: EndpointsOptions, signal: AbortSignal): Promise<void> {
  const { access, namespace, onPublished, warn } = options;
  const source = createKubernetesSource({ service: "server", namespace, port: "grpc", access });
  for await (const { endpoints, error } of source.watch(signal)) {
    warn(error?.message ?? "");
    if (!endpoints) continue;
    const pods = endpoints.flatMap(({ metadata, zone }) => {
      const { podName } = metadata;
      return podName === undefined ? [] : [[podName, zone ?? ""] as const];
    });
    onPublished(new Map(pods));
  }
}
