/** The type of a resource, as `google.protobuf.Any` and ADS have it. */
export const typeUrls = {
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
} as const;

/** Listeners and clusters: a client that names none wants all. */
export function isListed(typeUrl: string): boolean {
  return typeUrl === typeUrls.listener || typeUrl === typeUrls.cluster;
}

const nouns: ReadonlyMap<string, string> = new Map([
  [typeUrls.listener, "listener"],
  [typeUrls.route, "route configuration"],
  [typeUrls.cluster, "cluster"],
  [typeUrls.endpoints, "endpoints of"],
]);

/** A resource in words, for messages: `cluster "server"`. */
export function describeResource({ typeUrl, name }: { readonly typeUrl: string; readonly name: string }): string {
  return `${nouns.get(typeUrl) ?? typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${JSON.stringify(name)}`;
}
