import { startEnvoy } from "./envoy.ts";
import { startGrpcGo, startGrpcJsXds } from "./grpc.ts";
import { buildGrpcGo, findEnvoy } from "./programs.ts";

/** A client of xDS that nobody here wrote. */
export interface ForeignClient {
  /** Calls the service, and returns the name of the pod. @param user the header of that name; default: empty */
  call(user?: string): Promise<string>;
  close(): Promise<void>;
}

/** What one calls, and where it asks for it. */
export interface ForeignClientOptions {
  /** The name of the listener. */
  readonly service: string;
  readonly controlPlanePort: number;
  /** Where a proxy listens. */
  readonly listenerPort: number;
  /** Whether a client of gRPC keeps a cluster that the control plane no longer has (gRFC A53). Default: no. */
  readonly ignoresDeletion?: boolean | undefined;
}

/** How one is started. */
export interface ForeignClientKind {
  readonly name: string;
  readonly protocol: "delta" | "sotw";
  /** Whether the listener has a port of its own. */
  readonly isProxy: boolean;
  /** Whether it takes the endpoints of the service, and neither listeners nor routes nor clusters. Default: no. */
  readonly readsEndpointsOnly?: boolean;
  /** How calls fail by a fault of the client that no control plane can avoid; undefined for none that is known. */
  readonly ownFault: RegExp | undefined;
  /** Why it cannot be had; undefined when it can. */
  readonly missing: string | undefined;
  start(options: ForeignClientOptions): Promise<ForeignClient>;
}

/** All that are tested. Builds the one of Go, which takes minutes if Go has not built it before. */
export async function foreignClients(): Promise<readonly ForeignClientKind[]> {
  const envoy = findEnvoy();
  const grpcGo = await buildGrpcGo();
  const noEnvoy = envoy === undefined ? "there is no envoy: set ENVOY, or GRPC_LB_SANDBOX" : undefined;
  const proxy = { isProxy: true, ownFault: undefined, missing: noEnvoy };
  return [
    {
      ...{ name: "grpc-js-xds", protocol: "sotw", isProxy: false, ownFault: undefined },
      missing: undefined,
      start: startGrpcJsXds,
    },
    {
      ...{ name: "grpc-go", protocol: "sotw", isProxy: false },
      // grpc-go 1.84 changes the routes of a channel some milliseconds before its balancer knows their new clusters.
      ownFault: /unknown cluster selected for RPC/,
      missing: grpcGo ? undefined : "there is no go: set GO",
      start: startGrpcGo(grpcGo ?? ""),
    },
    { name: "Envoy, state of the world", protocol: "sotw", ...proxy, start: startEnvoy(envoy ?? "", "GRPC") },
    { name: "Envoy, delta", protocol: "delta", ...proxy, start: startEnvoy(envoy ?? "", "DELTA_GRPC") },
  ];
}
