import { DiscoveryError } from "../core/discovery-error.ts";
import { describePort, describePorts, type PortSelector } from "./port.ts";
import type { ServiceKnowledge } from "./service-watch.ts";

/** Why a service has no endpoints, if its Service or its slices show a reason; undefined otherwise. */
export function describeNoEndpoints(
  subject: string,
  { slices, service, notFoundError }: ServiceKnowledge,
): DiscoveryError | undefined {
  const all = [...slices.values()];
  if (all.length === 0 && notFoundError) return notFoundError;
  if (all.length === 0 && service?.type === "ExternalName") {
    const name = service.externalName ?? "";
    return new DiscoveryError(
      "invalid",
      `kubernetes: ${subject} is of type ExternalName; dial dns:///${name}:port instead`,
    );
  }
  if (all.length === 0 && service && !service.hasSelector) {
    const advice = `create slices with the label kubernetes.io/service-name=${service.name}`;
    return new DiscoveryError("notFound", `kubernetes: ${subject} has no selector and no EndpointSlices; ${advice}`);
  }
  if (all.length > 0 && all.every(({ addressType }) => addressType === "FQDN")) {
    return new DiscoveryError(
      "invalid",
      `kubernetes: ${subject} has EndpointSlices of type FQDN only, which are not supported`,
    );
  }
  return undefined;
}

/** The error for a service that has endpoints, but none at the wanted port. */
export function describePortNotFound(subject: string, port: PortSelector, known: ServiceKnowledge): DiscoveryError {
  const ports = [...known.slices.values()].flatMap((slice) => slice.ports);
  const message = `kubernetes: ${subject} has no ${describePort(port)}; its target ports are ${describePorts(ports)}`;
  return new DiscoveryError("portNotFound", `${message}${describeMapping(port, known)}`);
}

/** What the Service contributes to the reason: it maps its port numbers to target ports. */
function describeMapping(port: PortSelector, { service, notFoundError, serviceError }: ServiceKnowledge): string {
  if (port.t === "name") {
    const other = service?.ports.find(({ name, protocol }) => name === port.name && protocol !== "TCP");
    return other ? `; the Service's port "${port.name}" is ${other.protocol}, and TCP is needed` : "";
  }
  if (port.t !== "number") return "";
  const own = service?.ports.find((each) => each.port === port.number);
  if (own && own.protocol !== "TCP") return `; the Service's port ${port.number} is ${own.protocol}, and TCP is needed`;
  if (own)
    return `; the Service maps ${port.number} to ${own.name ? `"${own.name}"` : "its target port"}, which no pod has`;
  if (service) return `; the Service has the ports ${describePorts(service.ports)}`;
  if (serviceError && !notFoundError)
    return "; the Service, which maps its ports to these, could not be read (services get)";
  return "; the Service, which maps its ports to these, does not exist";
}
