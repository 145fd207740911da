import type { Service, SlicePort } from "./endpoint-slice.ts";

/** Which port of a service is meant: by name, by number (of the target or of the Service), or the first there is. */
export type PortSelector =
  | { readonly t: "name"; readonly name: string }
  | { readonly t: "number"; readonly number: number }
  | { readonly t: "first" };

/**
 * The number to dial in a slice, undefined when the slice has no such port. A number that is a target port is taken as it
 * is; else it is looked up among the ports of the Service, whose names the slice's ports bear.
 */
export function resolvePort(
  selector: PortSelector,
  ports: readonly SlicePort[],
  service: Service | undefined,
): number | undefined {
  const reachable = ports.filter(({ protocol }) => (protocol ?? "TCP") === "TCP"); // what gRPC and HTTP are spoken over
  const named = (wanted: string) => reachable.find(({ name }) => (name ?? "") === wanted)?.port ?? undefined;
  if (selector.t === "first") return reachable.sort(byName).find(({ port }) => port != null)?.port ?? undefined;
  if (selector.t === "name") return named(selector.name);
  const { number } = selector;
  if (reachable.some(({ port }) => port === number || port == null)) return number;
  const servicePort = service?.spec?.ports?.find(({ port }) => port === number);
  return servicePort && named(servicePort.name ?? "");
}

/** Slices of one service may list their ports in different orders; "first" must mean the same port in all of them. */
function byName(a: SlicePort, b: SlicePort): number {
  return (a.name ?? "") < (b.name ?? "") ? -1 : 1;
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
