/** How client-grpc can balance its calls: `clusterip` is the base, every other one an overlay of that name. */
export const strategies = [
  "clusterip",
  "max-age",
  "headless-dns",
  "resolver",
  "etcd",
  "consul",
  "envoy",
  "nginx",
  "haproxy",
  "host-proxy",
  "nodeport",
  "loadbalancer",
] as const;
export type Strategy = (typeof strategies)[number];

/** The strategies whose client knows the pods, so that its policy chooses among them. */
export const clientSideStrategies: readonly Strategy[] = ["headless-dns", "resolver", "etcd", "consul"];

/** The folder of a strategy's manifests, in k8s/. */
export function manifestsOf(strategy: Strategy): string {
  return strategy === "clusterip" ? "base" : `overlays/${strategy}`;
}
