import { isIP } from "node:net";
import { isPortNumber, unbracketHost } from "@grpc-lb/core";
import { canonicalHost, isHostName } from "../core/address.ts";
import { printable } from "../core/discovery-error.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { isWeight, maxWeight } from "../core/weight.ts";

/**
 * The key of Service.Meta that holds a weight which Weights.Passing, a whole number from 1 to 65535, cannot; written by a
 * registration of this library, and read in place of Weights.Passing.
 */
export const weightKey = "grpc-lb-weight";

/** One instance of an answer, read. */
export type ReadInstance =
  | { readonly t: "endpoint"; readonly id: string; readonly endpoint: Endpoint }
  /** It is as Consul allows it, and cannot be called: it has no port, or its address is not a host. */
  | { readonly t: "notCallable"; readonly id: string; readonly why: string }
  /** A field has a wrong type or value. `id` is undefined where that is not known either. */
  | { readonly t: "invalid"; readonly id: string | undefined; readonly why: string };

/** Why an answer, or an instance in it, cannot be read. */
export class UnreadableAnswer extends Error {
  override readonly name = "UnreadableAnswer";
}

/**
 * Reads the answer of `/v1/health/service/:name`, in its order. An instance that cannot be used is in it with the reason; so is
 * one whose id an earlier one has.
 * https://developer.hashicorp.com/consul/api-docs/health#list-service-instances-for-service
 *
 * @throws UnreadableAnswer for anything but a list: that must not count as an empty one
 */
export function readHealth(text: string): readonly ReadInstance[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw new UnreadableAnswer("the answer cannot be read: it is not valid JSON"); // the SyntaxError repeats a piece of it
  }
  if (!Array.isArray(entries)) throw expected("the answer cannot be read: it must be a list of instances", entries);
  const ids = new Set<string>();
  return entries.map((entry) => {
    const instance = readInstance(entry);
    const { id } = instance;
    if (id !== undefined && ids.has(id)) return { t: "invalid", id, why: "it is given twice" };
    if (id !== undefined) ids.add(id);
    return instance;
  });
}

/**
 * Reads `X-Consul-Index`.
 *
 * @throws UnreadableAnswer for anything but a whole number
 */
export function readIndex(value: string | readonly string[] | undefined): number {
  if (typeof value !== "string" || !/^\d{1,20}$/.test(value)) {
    throw new UnreadableAnswer("the answer has no X-Consul-Index; is this Consul?");
  }
  return Number(value);
}

function readInstance(entry: unknown): ReadInstance {
  let id: string | undefined;
  try {
    const { Node, Service, Checks } = objectAt(entry, "the instance");
    const node = objectAt(Node, "Node");
    const service = objectAt(Service, "Service");
    const nodeName = nameAt(node.Node, "Node.Node");
    const serviceId = nameAt(service.ID, "Service.ID");
    // An id of a service is unique on its node only.
    id = `${nodeName}/${serviceId}`;
    const [nodeMeta, meta] = [textsAt(node.Meta, "Node.Meta"), textsAt(service.Meta, "Service.Meta")];
    const [nodeZone, zone] = [zoneAt(node.Locality, "Node.Locality"), zoneAt(service.Locality, "Service.Locality")];
    const weight = weightAt(service, meta, Checks);
    // "If the service address is empty, use the node's": Service.Address of the same page.
    const nodeAddress = textAt(node.Address, "Node.Address");
    const address = textAt(service.Address, "Service.Address") || nodeAddress;
    const port = portAt(service.Port);
    const host = canonicalHost(unbracketHost(address));
    if (port === 0) return { t: "notCallable", id, why: "it has no port" };
    // Consul itself takes any number.
    if (!isPortNumber(port)) return { t: "notCallable", id, why: `its port must be from 1 to 65535, got ${port}` };
    if (host === "") return { t: "notCallable", id, why: "it has no address" };
    if (isIP(host) === 0 && !isHostName(host)) {
      return { t: "notCallable", id, why: `its address must be a host name or an IP address, got ${show(address)}` };
    }
    const { [weightKey]: _, ...rest } = meta;
    const endpoint: Endpoint = {
      id,
      addresses: [{ host, port }],
      weight,
      zone: meta.zone || nodeMeta.zone || zone || nodeZone || undefined,
      forZones: [],
      nodeName,
      metadata: { serviceId, ...rest },
    };
    return { t: "endpoint", id, endpoint };
  } catch (error) {
    if (!(error instanceof UnreadableAnswer)) throw error;
    return { t: "invalid", id, why: error.message };
  }
}

/**
 * The weight by the worst of the checks of the instance and its node, as in Consul's own DNS (findWeight in agent/dns.go): with
 * one that is neither passing nor a warning, such as `critical` in a maintenance, it is 0, so the instance takes no calls while
 * there is another.
 */
function weightAt(service: Fields, meta: Texts, checks: unknown): number {
  const weights = service.Weights === null ? {} : objectAt(service.Weights ?? {}, "Service.Weights");
  const passing = numberAt(weights.Passing, "Service.Weights.Passing");
  const warning = numberAt(weights.Warning, "Service.Weights.Warning");
  const name = textAt(service.Service, "Service.Service");
  if (checks !== undefined && checks !== null && !Array.isArray(checks))
    throw expected("Checks must be a list", checks);
  const statuses = (checks ?? []).flatMap((each, n) => {
    const { Status, ServiceName } = objectAt(each, `Checks[${n}]`);
    const status = nameAt(Status, `Checks[${n}].Status`);
    const of = textAt(ServiceName, `Checks[${n}].ServiceName`);
    return of === "" || of === name ? [status] : [];
  });
  if (statuses.some((status) => status !== "passing" && status !== "warning")) return 0;
  if (statuses.includes("warning")) return warning;
  const exact = Number(meta[weightKey] || Number.NaN);
  return isWeight(exact) ? exact : passing;
}

type Fields = Readonly<Record<string, unknown>>;
type Texts = Readonly<Record<string, string>>;

function expected(what: string, got: unknown): UnreadableAnswer {
  return new UnreadableAnswer(`${what}, got ${show(got)}`);
}

/** A value in few characters; of an object or list its kind. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return printable(JSON.stringify(value), 60);
}

function objectAt(value: unknown, path: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw expected(`${path} must be an object`, value);
  return value as Fields;
}

function nameAt(value: unknown, path: string): string {
  if (typeof value !== "string" || value === "") throw expected(`${path} must be a text that is not empty`, value);
  return value;
}

/** "" where it is absent, as Go omits or nulls what is empty. */
function textAt(value: unknown, path: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw expected(`${path} must be text`, value);
  return value;
}

function textsAt(value: unknown, path: string): Texts {
  if (value === undefined || value === null) return {};
  const fields = objectAt(value, path);
  for (const [name, text] of Object.entries(fields)) {
    // The value is not repeated, as metadata may be secret.
    if (typeof text !== "string") throw new UnreadableAnswer(`${path}.${printable(name, 60)} must be text`);
  }
  return fields as Texts;
}

function zoneAt(value: unknown, path: string): string {
  if (value === undefined || value === null) return "";
  return textAt(objectAt(value, path).Zone, `${path}.Zone`);
}

function portAt(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (!Number.isSafeInteger(value)) throw expected("Service.Port must be a whole number", value);
  return value as number;
}

function numberAt(value: unknown, path: string): number {
  if (value === undefined || value === null) return 1;
  if (!isWeight(value)) throw expected(`${path} must be a number from 0 to ${maxWeight}`, value);
  return value;
}
