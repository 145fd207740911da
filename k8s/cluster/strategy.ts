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
  "lookaside",
  "xds",
  "envoy-xds",
] as const;
export type Strategy = (typeof strategies)[number];

/** The strategies whose client knows the pods, so that its policy chooses among them. */
export const clientSideStrategies: readonly Strategy[] = ["headless-dns", "resolver", "etcd", "consul", "lookaside"];

/** The strategies whose client, or proxy, asks the control plane. */
export const controlPlaneStrategies: readonly Strategy[] = ["lookaside", "xds", "envoy-xds"];

/** The folder of a strategy's manifests, in k8s/. */
export function manifestsOf(strategy: Strategy): string {
  return strategy === "clusterip" ? "base" : `overlays/${strategy}`;
}
