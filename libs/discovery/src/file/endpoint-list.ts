import { formatHostPort, isPortNumber } from "@grpc-lb/core";
import { formatAddress, parseAddress } from "../core/address.ts";
import type { Address, Endpoint } from "../core/snapshot.ts";
import { isWeight, maxWeight } from "../core/weight.ts";
import { describeKind, FieldError, type FieldPath, type Fields, isFields, show, unknownField } from "./fields.ts";

/** The most endpoints that a file may have. */
export const maxFileEndpoints = 10_000;

const fields = ["address", "host", "port", "weight", "zone", "metadata"];

/** How an entry of a list is written, for messages. */
const forms = "host:port, or an object with address, weight, zone, metadata";

/**
 * Reads a list of endpoints. Each entry is `host:port`, `{ address, weight?, zone?, metadata? }`, the same with `host` and `port`
 * in place of `address`, or a group of Prometheus' file_sd, `{ targets, labels? }`, whose labels become metadata. A target that
 * stands in several groups has the labels of the first.
 *
 * @throws FieldError that names the first field that is not valid
 */
export function* readEndpoints(values: readonly unknown[], path: FieldPath): Generator<void, Endpoint[]> {
  checkCount(values.length, path);
  const targets = values.reduce<number>((sum, value) => sum + (isGroup(value) ? value.targets.length : 1), 0);
  checkCount(targets, path);
  const all: Endpoint[] = [];
  const entryOf = new Map<string, number>();
  for (const [n, value] of values.entries()) {
    const own = [...path, n];
    for (const endpoint of readListEntry(value, own)) {
      yield;
      const before = entryOf.get(endpoint.id);
      if (before !== undefined && isGroup(value)) continue; // groups of file_sd may share targets
      if (before !== undefined)
        throw new FieldError(own, `must not repeat the address ${endpoint.id}, which entry ${before} has`);
      entryOf.set(endpoint.id, n);
      all.push(endpoint);
    }
    yield;
  }
  return all;
}

/** @throws FieldError for more endpoints than are read */
export function checkCount(count: number, path: FieldPath): void {
  if (count > maxFileEndpoints)
    throw new FieldError(path, `must be at most ${maxFileEndpoints} endpoints, got ${count}`);
}

function* readListEntry(value: unknown, path: FieldPath): Generator<Endpoint> {
  if (typeof value === "string") yield createEndpoint([readAddress(value, path, describeKind)], {});
  else if (!isFields(value)) throw new FieldError(path, `must be ${forms}, got ${describeKind(value)}`);
  else if (isGroup(value)) yield* readGroup(value, path);
  else yield readEntry(value, path);
}

/** Whether this is a group of Prometheus' file_sd. */
function isGroup(value: unknown): value is Fields & { readonly targets: readonly unknown[] } {
  return isFields(value) && Array.isArray(value.targets);
}

/** An endpoint at one or more addresses, with what else is known of it. */
export function createEndpoint(addresses: readonly Address[], more: Partial<Endpoint>): Endpoint {
  const [first = { host: "", port: 0 }] = addresses;
  return {
    id: formatAddress(first),
    addresses,
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
    ...more,
  };
}

/**
 * Reads `host:port`.
 *
 * @param display writes a value that is not valid
 */
export function readAddress(value: unknown, path: FieldPath, display = show): Address {
  if (typeof value === "string" && value.length <= 300) {
    try {
      return parseAddress(value);
    } catch {
      // Reported below, where the display of the value is known.
    }
  }
  throw new FieldError(path, `must be host:port, an IPv6 host in brackets, got ${display(value)}`);
}

/** Reads a host and a port that are fields of their own. */
export function readHostAndPort(
  host: unknown,
  port: unknown,
  path: FieldPath,
  names: readonly [string, string],
): Address {
  if (!isPortNumber(port)) {
    throw new FieldError([...path, names[1]], `must be a number from 1 to 65535, got ${show(port)}`);
  }
  if (typeof host === "string" && host.length <= 300) {
    try {
      return parseAddress(formatHostPort(host, port));
    } catch {
      // Reported below.
    }
  }
  throw new FieldError([...path, names[0]], `must be an IP address or a host name, got ${show(host)}`);
}

export function readWeight(value: unknown, path: FieldPath): number {
  if (!isWeight(value)) throw new FieldError(path, `must be a number from 0 to ${maxWeight}, got ${show(value)}`);
  return value;
}

function readEntry(entry: Fields, path: FieldPath): Endpoint {
  const names = Object.keys(entry);
  if (names.length > 0 && !names.some((name) => fields.includes(name))) {
    throw new FieldError(path, `must be ${forms}; it has none of these fields`);
  }
  checkNames(entry, path, fields);
  const { address, host, port, weight = 1, zone, metadata = {} } = entry;
  const isSplit = address === undefined && (host !== undefined || port !== undefined);
  if (address !== undefined && (host !== undefined || port !== undefined)) {
    throw new FieldError([...path, "address"], "must not stand beside host and port");
  }
  const read = isSplit
    ? readHostAndPort(host, port, path, ["host", "port"])
    : readAddress(address, [...path, "address"]);
  if (zone !== undefined && typeof zone !== "string") {
    throw new FieldError([...path, "zone"], `must be text, got ${show(zone)}`);
  }
  return createEndpoint([read], {
    weight: readWeight(weight, [...path, "weight"]),
    zone,
    metadata: readTexts(metadata, [...path, "metadata"]),
  });
}

/** https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config */
function* readGroup(group: Fields & { readonly targets: readonly unknown[] }, path: FieldPath): Generator<Endpoint> {
  checkNames(group, path, ["targets", "labels"]);
  const { targets, labels = {} } = group;
  const metadata = readTexts(labels, [...path, "labels"]);
  for (const [n, target] of targets.entries()) {
    yield createEndpoint([readAddress(target, [...path, "targets", n], describeKind)], { metadata });
  }
}

/** @throws FieldError for a name that is not known */
export function checkNames(value: Fields, path: FieldPath, known: readonly string[]): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownField([...path, unknown], known);
}

function readTexts(value: unknown, path: FieldPath): Readonly<Record<string, string>> {
  if (!isFields(value)) throw new FieldError(path, `must be an object, got ${show(value)}`);
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new FieldError([...path, name], `must be text, got ${show(text)}`);
  }
  return value as Readonly<Record<string, string>>;
}
