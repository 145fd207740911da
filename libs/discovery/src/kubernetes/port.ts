import type { ApiPort, EndpointSlice, Service } from "./reader.ts";

/** Which port of a service to dial: by name, by number (of the target or of the Service), or the one that most slices have. */
export type PortSelector =
  | { readonly t: "name"; readonly name: string }
  | { readonly t: "number"; readonly number: number }
  | { readonly t: "mostCommon" };

/** A selector that means the same in every slice. */
export type FixedPort = Exclude<PortSelector, { readonly t: "mostCommon" }>;

/**
 * The number to dial in a slice; undefined when the slice has no such port. A number that is a target port is taken as it is;
 * else the Service maps it: its port with this number has the name of a port of the slice. Of a service without any port (a
 * headless one) every number is taken, as DNS does.
 */
export function resolvePort(
  selector: FixedPort,
  ports: readonly ApiPort[],
  service: Service | undefined,
): number | undefined {
  let name = selector.t === "name" ? selector.name : undefined;
  if (selector.t === "number") {
    const { number } = selector;
    if (service?.ports.length === 0 && ports.length === 0) return number;
    for (const { port = number, protocol } of ports) if (port === number && protocol === "TCP") return number;
    // UDP and TCP may share a number: 443 for HTTP/3 and HTTP/2.
    name = service?.ports.find(({ port, protocol }) => port === number && protocol === "TCP")?.name;
  }
  for (const port of ports) if (port.name === name && port.protocol === "TCP") return port.port;
  return undefined;
}

/**
 * The port to dial when none is named: one for the whole service, so that its endpoints never speak different protocols. It
 * is the port that most slices have, the first by name of several: the controller makes a slice for each set of ports that pods
 * have, and few endpoints are lost so. Slices without endpoints do not count. Undefined while there is none.
 */
export function mostCommonPort(slices: Iterable<EndpointSlice>): FixedPort | undefined {
  const counts = new Map<string, number>();
  for (const { endpoints, addressType, ports } of slices) {
    if (endpoints.length === 0 || addressType === "FQDN") continue;
    const names = ports
      .filter(({ port, protocol }) => protocol === "TCP" && port !== undefined)
      .map(({ name }) => name);
    for (const name of new Set(names)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const [first] = [...counts].sort(([a, most], [b, count]) => count - most || (a < b ? -1 : 1));
  return first && { t: "name", name: first[0] };
}

/** For messages: `port "grpc"`, `port 80`. */
export function describePort(selector: PortSelector): string {
  if (selector.t === "name") return `port "${selector.name}"`;
  return selector.t === "number" ? `port ${selector.number}` : "port";
}

/** The ports there are, for messages: `http (8080), grpc (30051)`; a protocol other than TCP is named. */
export function describePorts(ports: Iterable<ApiPort>): string {
  const words = [...ports].map(({ name, port, protocol }) => {
    const number = `${port ?? "any"}${protocol === "TCP" ? "" : ` ${protocol}`}`;
    return name ? `${name} (${number})` : number;
  });
  return [...new Set(words)].sort().join(", ") || "none";
}
