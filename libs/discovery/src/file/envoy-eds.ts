import type { Endpoint } from "../core/snapshot.ts";
import { checkCount, createEndpoint, maxFileEndpoints, readHostAndPort, readWeight } from "./endpoint-list.ts";
import { describeKind, FieldError, type FieldPath, type Fields, isFields, show } from "./fields.ts";

/** As numbers of the enum HealthStatus, and as its names. */
const healthyStatus: readonly unknown[] = [undefined, null, 0, "UNKNOWN", 1, "HEALTHY", 5, "DEGRADED"];

/** Whether a document is a ClusterLoadAssignment of Envoy, or the DiscoveryResponse in which Envoy reads it from a file. */
export function isEnvoyEds(value: Fields): boolean {
  if (Array.isArray(value.resources) || "clusterName" in value || "cluster_name" in value) return true;
  const [first] = Array.isArray(value.endpoints) ? value.endpoints : [];
  return isFields(first) && ("lbEndpoints" in first || "lb_endpoints" in first);
}

/**
 * Reads a ClusterLoadAssignment of Envoy in the JSON form of protobuf, with the names of fields in either spelling
 * (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto). Endpoints of the lowest priority that
 * has healthy ones are used, those that are unhealthy, draining or timed out are not. Of two with the same address the first is used, as
 * Envoy does. Fields without a meaning here are ignored.
 *
 * @throws FieldError that names the first field that is not valid
 */
export function* readEnvoyEds(value: Fields): Generator<void, Endpoint[]> {
  let [assignment, path]: [Fields, FieldPath] = [value, []];
  if (Array.isArray(value.resources)) {
    const [resource] = value.resources;
    if (value.resources.length !== 1 || !isFields(resource)) {
      throw new FieldError(["resources"], `must be one ClusterLoadAssignment, got ${value.resources.length}`);
    }
    [assignment, path] = [resource, ["resources", 0]];
  }
  const localities = listOf(assignment.endpoints, [...path, "endpoints"]);
  checkCount(
    localities.reduce((sum, group) => sum + lengthOf(field(group, "lbEndpoints")[1]), 0),
    path,
  );
  const byPriority = new Map<number, Map<string, Endpoint>>();
  let addresses = 0;
  for (const [n, group] of localities.entries()) {
    yield;
    const own = [...path, "endpoints", n];
    const { priority = 0 } = group;
    if (typeof priority !== "number") {
      throw new FieldError([...own, "priority"], `must be a number, got ${show(priority)}`);
    }
    const zone = isFields(group.locality) && typeof group.locality.zone === "string" ? group.locality.zone : "";
    const [name, endpoints] = field(group, "lbEndpoints");
    const read = byPriority.get(priority) ?? new Map<string, Endpoint>();
    byPriority.set(priority, read);
    for (const [i, each] of listOf(endpoints, [...own, name]).entries()) {
      yield;
      if (!healthyStatus.includes(field(each, "healthStatus")[1])) continue;
      const endpoint = yield* readLbEndpoint(each, [...own, name, i], zone === "" ? undefined : zone);
      addresses += endpoint.addresses.length;
      if (addresses > maxFileEndpoints) {
        throw new FieldError([...own, name, i], `must not be beyond ${maxFileEndpoints} addresses in all`);
      }
      if (!read.has(endpoint.id)) read.set(endpoint.id, endpoint);
    }
  }
  const used = [...byPriority].filter(([, endpoints]) => endpoints.size > 0).sort(([a], [b]) => a - b);
  return [...(used[0]?.[1].values() ?? [])];
}

const lengthOf = (value: unknown) => (Array.isArray(value) ? value.length : 0);

function* readLbEndpoint(value: Fields, path: FieldPath, zone: string | undefined): Generator<void, Endpoint> {
  const endpoint = isFields(value.endpoint) ? value.endpoint : {};
  const own = [...path, "endpoint"];
  const [name, more] = field(endpoint, "additionalAddresses");
  const additional = listOf(more, [...own, name]);
  if (additional.length >= maxFileEndpoints) {
    throw new FieldError([...own, name], `must be fewer than ${maxFileEndpoints} addresses, got ${additional.length}`);
  }
  const addresses = [readSocketAddress(endpoint.address, [...own, "address"])];
  for (const [n, each] of additional.entries()) {
    yield;
    addresses.push(readSocketAddress(each.address, [...own, name, n, "address"]));
  }
  const [weightName, weight = 1] = field(value, "loadBalancingWeight");
  const { hostname } = endpoint;
  return createEndpoint(addresses, {
    weight: readWeight(weight, [...path, weightName]),
    zone,
    metadata: typeof hostname === "string" && hostname !== "" ? { hostname } : {},
  });
}

function readSocketAddress(value: unknown, path: FieldPath) {
  const [name, socket] = isFields(value) ? field(value, "socketAddress") : ["socketAddress", undefined];
  if (!isFields(socket)) {
    throw new FieldError([...path, name], `must be an object with address and portValue, got ${show(socket)}`);
  }
  const [portName, port] = field(socket, "portValue");
  return readHostAndPort(socket.address, port, [...path, name], ["address", portName]);
}

/** A field by its name in JSON, `lbEndpoints`, or by that in the proto, `lb_endpoints`. @returns the name that is there */
function field(value: Fields, name: string): readonly [name: string, value: unknown] {
  const protoName = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return name in value ? [name, value[name]] : protoName in value ? [protoName, value[protoName]] : [name, undefined];
}

function listOf(value: unknown, path: FieldPath): readonly Fields[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new FieldError(path, `must be a list, got ${describeKind(value)}`);
  for (const [n, each] of value.entries()) {
    if (!isFields(each)) throw new FieldError([...path, n], `must be an object, got ${describeKind(each)}`);
  }
  return value;
}
