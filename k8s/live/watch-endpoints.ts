import { createKubeconfigAccess, createKubernetesSource } from "@grpc-lb/discovery/kubernetes";

/** The pods that the Service sends calls to, with their zones; empty for an unknown zone. */
export type PublishedPods = ReadonlyMap<string, string>;

/**
 * Watches the Service's EndpointSlices, as the clients of the strategy `resolver` do, until `signal` is aborted.
 *
 * @param warn takes the reason while they cannot be read, and an empty text when they can again
 */
export async function watchEndpoints(
  namespace: string,
  options: { onPublished(pods: PublishedPods): void; warn(text: string): void; readonly signal: AbortSignal },
): Promise<void> {
  const source = createKubernetesSource({
    ...{ service: "server", namespace, port: "grpc", access: await createKubeconfigAccess() },
  });
  for await (const { endpoints, error } of source.watch(options.signal)) {
    options.warn(error?.message ?? "");
    if (!endpoints) continue;
    const pods = endpoints.flatMap(({ metadata, zone }) => {
      const { podName } = metadata;
      return podName === undefined ? [] : [[podName, zone ?? ""] as const];
    });
    options.onPublished(new Map(pods));
  }
}
