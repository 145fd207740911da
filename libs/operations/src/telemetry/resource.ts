import { hostname } from "node:os";

/** What telemetry is of: `service.name` and more, by OpenTelemetry's conventions for resources. */
export type ResourceAttributes = Readonly<Record<string, string>>;

/** A pod, as `Pod` of `@grpc-lb/protos/pod/v1` has it. Empty means unknown. */
export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly zone: string;
}

/** What the manifests fill by the Downward API. */
const identityOf = (env: NodeJS.ProcessEnv): PodIdentity => ({
  name: env.POD_NAME ?? "",
  namespace: env.POD_NAMESPACE ?? "",
  node: env.NODE_NAME ?? "",
  zone: env.ZONE ?? "",
});

/**
 * Describes this process: the service, its pod, and what `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` add or replace
 * (https://opentelemetry.io/docs/specs/otel/resource/sdk).
 */
export function describeResource(
  service: { readonly name: string; readonly version: string },
  env: NodeJS.ProcessEnv,
  pod = identityOf(env),
): ResourceAttributes {
  const all: Record<string, string> = {
    "service.name": service.name,
    "service.version": service.version,
    "service.instance.id": pod.name || `${hostname()}:${process.pid}`,
    "k8s.pod.name": pod.name,
    "k8s.namespace.name": pod.namespace,
    "k8s.node.name": pod.node,
    "cloud.availability_zone": pod.zone,
  };
  for (const pair of (env.OTEL_RESOURCE_ATTRIBUTES ?? "").split(",")) {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name !== undefined && value !== undefined) all[name] = decode(value);
  }
  if (env.OTEL_SERVICE_NAME) all["service.name"] = env.OTEL_SERVICE_NAME;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a value that somebody has not escaped is better than none
  }
}
