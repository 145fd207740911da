import { DiscoveryError } from "../core/discovery-error.ts";
import { describePort, describePorts, type PortSelector } from "./port.ts";
import type { ApiPort } from "./reader.ts";
import type { ServiceKnowledge } from "./service-watch.ts";

/** Why a service has no endpoints, if its Service or its slices show a reason; undefined otherwise. */
export function describeNoEndpoints(
  subject: string,
  { slices, service, notFoundError }: ServiceKnowledge,
): DiscoveryError | undefined {
  const all = [...slices.values()];
  if (all.length === 0 && notFoundError) return notFoundError;
  if (all.length === 0 && service?.type === "ExternalName") {
    const { externalName } = service;
    const advice = externalName
      ? `; dial dns:///${externalName}:port instead`
      : " and has no externalName; set spec.externalName, and dial that name with dns:/// instead";
    return new DiscoveryError("invalid", `kubernetes: ${subject} is of type ExternalName${advice}`);
  }
  if (all.length === 0 && service && !service.hasSelector) {
    const advice = `create slices with the label kubernetes.io/service-name=${service.name}`;
    return new DiscoveryError("notFound", `kubernetes: ${subject} has no selector and no EndpointSlices; ${advice}`);
  }
  const filled = all.filter(({ endpoints }) => endpoints.length > 0);
  const relevant = filled.length > 0 ? filled : all;
  if (relevant.length > 0 && relevant.every(({ addressType }) => addressType === "FQDN")) {
    const beside = relevant.length < all.length ? ", as those of other types have no ready endpoints" : "";
    const advice = "; dial their names with dns:/// instead";
    return new DiscoveryError(
      "invalid",
      `kubernetes: ${subject} has EndpointSlices of type FQDN only, which are not supported${beside}${advice}`,
    );
  }
  return undefined;
}

/** The error for a service that has endpoints, but none at the wanted port. */
export function describePortNotFound(subject: string, port: PortSelector, known: ServiceKnowledge): DiscoveryError {
  const ports = [...known.slices.values()].flatMap((slice) => slice.ports);
  const targets =
    ports.length > 0 ? `its target ports are ${describePorts(ports)}` : "its EndpointSlices name no target ports";
  const message = `kubernetes: ${subject} has no ${describePort(port)}; ${targets}`;
  return new DiscoveryError("portNotFound", `${message}${describeMapping(port, ports, known)}`);
}

/** What the Service contributes to the reason: it maps its port numbers to target ports. */
function describeMapping(
  port: PortSelector,
  targets: readonly ApiPort[],
  { service, notFoundError, serviceError }: ServiceKnowledge,
): string {
  if (port.t === "mostCommon") return "";
  const isIt = (each: ApiPort) => (port.t === "name" ? each.name === port.name : each.port === port.number);
  // One number or name may be there for UDP and for TCP.
  const own = service?.ports
    .filter(isIt)
    .sort((a, b) => Number(b.protocol === "TCP") - Number(a.protocol === "TCP"))[0];
  const other = own ?? targets.find((each) => isIt(each) && each.protocol !== "TCP");
  if (other && other.protocol !== "TCP") {
    const whose = own ? "the Service's" : "their";
    return `; ${whose} ${describePort(port)} is ${other.protocol}, and gRPC needs TCP: name a TCP port`;
  }
  if (port.t === "name") return "";
  if (own)
    return `; the Service maps ${port.number} to ${own.name ? `"${own.name}"` : "its target port"}, which no pod has`;
  if (service) return `; the Service has the ports ${describePorts(service.ports)}`;
  const [what, orTarget] =
    targets.length > 0 ? ["maps its ports to these", ", or dial a target port"] : ["may map it", ""];
  if (serviceError && !notFoundError) {
    const { status } = serviceError;
    const advice = status === 401 || status === 403 ? `; allow "get" of services${orTarget}` : "";
    return `; the Service, which ${what}, could not be read${status === undefined ? "" : ` (${status})`}${advice}`;
  }
  return `; the Service, which ${what}, does not exist; create it${orTarget}`;
}
