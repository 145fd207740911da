import type { Service, SlicePort } from "./endpoint-slice.ts";

/** Which port of a service is meant: by name, by number (of the target or of the Service), or the one that most slices have. */
export type PortSelector =
  | { readonly t: "name"; readonly name: string }
  | { readonly t: "number"; readonly number: number }
  | { readonly t: "first" };

/** A port that is meant in every slice alike. */
export type SettledPort = Exclude<PortSelector, { readonly t: "first" }>;

/**
 * The number to dial in a slice, undefined when the slice has no such port. A number that is a target port is taken as it
 * is; else it is looked up among the ports of the Service, whose names the slice's ports bear.
 */
export function resolvePort(
  selector: SettledPort,
  ports: readonly SlicePort[],
  service: Service | undefined,
): number | undefined {
  const reachable = ports.filter(isReachable);
  const named = (wanted: string) => reachable.find(({ name }) => (name ?? "") === wanted)?.port ?? undefined;
  if (selector.t === "name") return named(selector.name);
  const { number } = selector;
  if (reachable.some(({ port }) => port === number || port == null)) return number;
  // UDP and TCP may share a number: 443 for HTTP/3 and HTTP/2.
  const servicePort = service?.spec?.ports?.find((port) => port.port === number && isReachable(port));
  return servicePort && named(servicePort.name ?? "");
}

/** Whether gRPC and HTTP can be spoken over it. */
export function isReachable({ protocol }: { readonly protocol?: string | null }): boolean {
  return (protocol ?? "TCP") === "TCP";
}

/** The port as a person would say it. */
export function describePort(selector: PortSelector): string {
  if (selector.t === "name") return `port "${selector.name}"`;
  return selector.t === "number" ? `port ${selector.number}` : "port";
}

/** The ports there are, for a message: `http (8080), grpc (30051)`. */
export function describePorts(ports: Iterable<SlicePort>): string {
  const words = [...ports].map(({ name, port }) => (name ? `${name} (${port ?? "any"})` : String(port ?? "any")));
  return [...new Set(words)].sort().join(", ") || "none";
}
