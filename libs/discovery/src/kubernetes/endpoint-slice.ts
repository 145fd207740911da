/**
 * The parts of discovery.k8s.io/v1 EndpointSlice that matter here, as the API server sends them: what the API calls optional
 * may be absent or null. https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
 */
export interface EndpointSlice {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly SlicePort[] | null;
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[] | null;
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  } | null;
  readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string } | null;
  readonly nodeName?: string | null;
  readonly zone?: string | null;
  readonly hints?: { readonly forZones?: readonly { readonly name: string }[] | null } | null;
}

export interface SlicePort {
  /** The name of the Service's port; "" when the Service has one port without a name. */
  readonly name?: string | null;
  /** The target port; null or absent means every port. */
  readonly port?: number | null;
  /** Default: TCP. */
  readonly protocol?: string | null;
}

/** The parts of a v1 Service that matter here. */
export interface Service {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | null };
  readonly spec?: { readonly ports?: readonly ServicePort[] | null } | null;
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  /** Default: TCP. */
  readonly protocol?: string | null;
}

/** What traffic an endpoint may get now; `ended` is none, and none ever again. */
export type Fitness = "ready" | "draining" | "ended" | "none";

/**
 * Reads the conditions: `ready` absent means ready; a terminating endpoint is never ready, but while it still serves it is
 * better than none (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions).
 */
export function fitnessOf({ conditions }: SliceEndpoint): Fitness {
  const isReady = conditions?.ready ?? true;
  if (!(conditions?.terminating ?? false)) return isReady ? "ready" : "none";
  return (conditions?.serving ?? isReady) ? "draining" : "ended";
}
