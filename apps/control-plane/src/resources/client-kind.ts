/**
 * The kinds of clients that get resources of their own. `grpc`: proxyless clients of gRPC, which look up a listener by the name of
 * the service. `envoy`: Envoy, which takes all listeners and opens their ports; and clients that read endpoints only.
 */
export type ClientKind = "grpc" | "envoy";

export const clientKinds: readonly ClientKind[] = ["grpc", "envoy"];

/** The kind of a client, by what it calls itself: `gRPC Go`, `gRPC Node Pure JS`; `envoy`. */
export function clientKindOf(userAgentName: string): ClientKind {
  return userAgentName.startsWith("gRPC ") ? "grpc" : "envoy";
}
