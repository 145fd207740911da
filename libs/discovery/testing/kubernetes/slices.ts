/** An EndpointSlice as it is stored and sent: what the API calls optional may be absent or null. */
export interface StoredSlice {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  };
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly StoredEndpoint[] | null;
  readonly ports?: readonly StoredPort[] | null;
}

/** An endpoint of a `StoredSlice`. */
export interface StoredEndpoint {
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

/** A port of a `StoredSlice`. */
export interface StoredPort {
  readonly name?: string | null;
  readonly port?: number | null;
  readonly protocol?: string | null;
}

/** A Service as it is stored and sent. */
export interface StoredService {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations?: Readonly<Record<string, string>> | null;
    readonly resourceVersion?: string;
  };
  readonly spec?: {
    readonly type?: string;
    readonly externalName?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>> | null;
    readonly ports?:
      | readonly {
          readonly name?: string;
          readonly port: number;
          readonly protocol?: string | null;
          readonly targetPort?: number | string;
        }[]
      | null;
  } | null;
}

/** One endpoint of a slice: an address, or an address with further fields. */
export type SlicePod =
  | string
  | {
      readonly address: string;
      /** The pod's name; its uid is `uid-<pod>`. Without it there is no targetRef. */
      readonly pod?: string;
      readonly conditions?: StoredEndpoint["conditions"];
      readonly zone?: string;
      readonly nodeName?: string;
      readonly forZones?: readonly string[];
    };

/** What `slice` makes an EndpointSlice of. */
export interface SliceOptions {
  readonly service: string;
  readonly addresses: readonly SlicePod[];
  /** Default: `<service>-1`. */
  readonly name?: string;
  /** Default: `default`. */
  readonly namespace?: string;
  /** Default: one named `grpc`, 50051. */
  readonly ports?: readonly StoredPort[] | null;
  /** Default: IPv4. */
  readonly addressType?: StoredSlice["addressType"];
  /** `ready` of all endpoints that do not bring conditions of their own. Default: true. */
  readonly ready?: boolean;
}

/** Makes an EndpointSlice as the controller would write it. */
export function slice(options: SliceOptions): StoredSlice {
  const { service, name = `${service}-1`, namespace = "default", addressType = "IPv4", ready = true } = options;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": service } },
    addressType,
    endpoints: options.addresses.map((pod) => endpointOf(pod, ready)),
    ports: options.ports === undefined ? [{ name: "grpc", port: 50_051, protocol: "TCP" }] : options.ports,
  };
}

function endpointOf(pod: SlicePod, ready: boolean): StoredEndpoint {
  const { address, pod: name, conditions, zone, nodeName, forZones } = typeof pod === "string" ? { address: pod } : pod;
  return {
    addresses: [address],
    conditions: conditions === undefined ? { ready, serving: ready, terminating: false } : conditions,
    ...(name && { targetRef: { kind: "Pod", name, uid: `uid-${name}` } }),
    ...(zone && { zone }),
    ...(nodeName && { nodeName }),
    ...(forZones && { hints: { forZones: forZones.map((name) => ({ name })) } }),
  };
}

/** Makes `count` pods in slices of `perSlice`, as the controller does with 100 to a slice. */
export function slices(options: { readonly service: string; readonly count: number; readonly perSlice?: number }) {
  const { service, count, perSlice = 100 } = options;
  return Array.from({ length: Math.ceil(count / perSlice) }, (_, s) =>
    slice({
      service,
      name: `${service}-${String(s).padStart(4, "0")}`,
      addresses: Array.from({ length: Math.min(perSlice, count - s * perSlice) }, (_, i) => {
        const n = s * perSlice + i;
        return {
          address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
          pod: `${service}-${String(n).padStart(5, "0")}`,
          nodeName: `node-${n % 50}`,
          zone: `zone-${n % 3}`,
        };
      }),
    }),
  );
}

/** Makes a Service; `ports` are its own, by which it is dialled. */
export function service(options: {
  readonly name: string;
  readonly namespace?: string;
  readonly ports?: NonNullable<NonNullable<StoredService["spec"]>["ports"]>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** More fields of its spec. */
  readonly spec?: NonNullable<StoredService["spec"]>;
}): StoredService {
  const { name, namespace = "default", ports = [{ name: "grpc", port: 80 }], annotations, spec } = options;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, ...(annotations && { annotations }) },
    spec: { selector: { app: name }, ports, ...spec },
  };
}
