/** How client-grpc can balance its calls: `clusterip` is the base, every other one an overlay of that name. */
export const strategies = ["clusterip", "headless-dns", "resolver", "etcd", "consul"] as const;
export type Strategy = (typeof strategies)[number];

/** The folder of a strategy's manifests, in k8s/. */
export function manifestsOf(strategy: Strategy): string {
  return strategy === "clusterip" ? "base" : `overlays/${strategy}`;
}
