/**
 * The kinds of clients that get listeners, routes and clusters of their own. `grpc`: proxyless clients of gRPC, which look up a listener by
 * the name of the service. `envoy`: Envoy, which takes all listeners and opens their ports.
 */
export type ClientKind = "grpc" | "envoy";

/**
 * What a client is, as log and metrics say it: the two kinds; `source`, our own `xds://` targets, which read endpoints only; and `other`.
 * The latter two get what Envoy gets, and the endpoints of services that are split.
 */
export type ClientGroup = ClientKind | "source" | "other";

/** The groups that get the resources of each kind. */
export const clientGroups: Readonly<Record<ClientKind, readonly ClientGroup[]>> = {
  grpc: ["grpc"],
  envoy: ["envoy", "source", "other"],
};

export const clientKinds: readonly ClientKind[] = ["grpc", "envoy"];

/** Whether clients of a group may read endpoints without routes: then those of a split service must say how its calls are split. */
export const readsEndpointsOnly = (group: ClientGroup): boolean => group === "source" || group === "other";

/** The group of a client, by what it calls itself: `gRPC Go`, `gRPC Node Pure JS`; `envoy`; `grpc-lb`. */
export function clientGroupOf(userAgentName: string): ClientGroup {
  if (userAgentName.startsWith("gRPC ")) return "grpc";
  if (userAgentName === "envoy") return "envoy";
  return userAgentName === "grpc-lb" ? "source" : "other";
}
