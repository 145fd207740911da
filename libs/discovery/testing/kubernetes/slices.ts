import type {
  EndpointSlice,
  Service,
  ServicePort,
  SliceEndpoint,
  SlicePort,
} from "../../src/kubernetes/endpoint-slice.ts";

/** A slice as it is stored: with the labels and the namespace that the API server selects by. */
export interface StoredSlice extends EndpointSlice {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: EndpointSlice["metadata"] & {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
}

export interface StoredService extends Service {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: Service["metadata"] & { readonly name: string; readonly namespace: string };
}

/** One endpoint of a slice: an address, or an address with what else is said of it. */
export type SlicePod =
  | string
  | {
      readonly address: string;
      /** The pod's name; its uid is `uid-<pod>`. Without it there is no targetRef. */
      readonly pod?: string;
      readonly conditions?: SliceEndpoint["conditions"];
      readonly zone?: string;
      readonly nodeName?: string;
      readonly forZones?: readonly string[];
    };

export interface SliceOptions {
  readonly service: string;
  readonly addresses: readonly SlicePod[];
  /** Default: `<service>-1`. */
  readonly name?: string;
  /** Default: `default`. */
  readonly namespace?: string;
  /** Default: one named `grpc`, 50051. */
  readonly ports?: readonly SlicePort[] | null;
  /** Default: IPv4. */
  readonly addressType?: EndpointSlice["addressType"];
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

function endpointOf(pod: SlicePod, ready: boolean): SliceEndpoint {
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
  readonly ports?: readonly (ServicePort & { readonly targetPort?: number | string })[];
  readonly annotations?: Readonly<Record<string, string>>;
}): StoredService {
  const { name, namespace = "default", ports = [{ name: "grpc", port: 80 }], annotations } = options;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, ...(annotations && { annotations }) },
    spec: { ports },
  };
}
