import { isIPv4, isIPv6 } from "node:net";
import { isPortNumber, messageOf } from "@grpc-lb/core";

/**
 * An object of the API, checked: each field satisfies its type. A part that cannot be read is left out, and `defect` names it.
 */
export interface ApiObject {
  /** "" when it has none that can be read: then nothing can be done with the object. */
  readonly name: string;
  readonly resourceVersion: string | undefined;
  /** The first thing of it that cannot be read, such as `endpoints[3].addresses must be IP addresses, got null`. */
  readonly defect: string | undefined;
}

/** discovery.k8s.io/v1 EndpointSlice. https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
export interface EndpointSlice extends ApiObject {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  /** Those that may get traffic, or that have ended. */
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly ApiPort[];
  /** Only with a defect: the first addresses of those that can be read and get no traffic. */
  readonly notReady?: readonly string[];
}

export interface SliceEndpoint {
  /** The first address; the API reference tells clients to ignore the others. Not checked for FQDN slices. */
  readonly host: string;
  /** `draining`: terminating, and it still serves. `ended`: terminating, and it serves no more. */
  readonly state: "ready" | "draining" | "ended";
  readonly uid: string | undefined;
  readonly podName: string | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  readonly forZones: readonly string[];
}

/** A port of a slice or of a Service. */
export interface ApiPort {
  /** "" for none. */
  readonly name: string;
  /** Of a slice the target port; undefined means every port. */
  readonly port: number | undefined;
  readonly protocol: string;
}

/** The parts of a v1 Service that matter here. */
export interface Service extends ApiObject {
  readonly type: string;
  readonly externalName: string | undefined;
  readonly isHeadless: boolean;
  readonly hasSelector: boolean;
  readonly ports: readonly ApiPort[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An event of a watch. */
export type WatchEvent<T extends ApiObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string | undefined }
  | { readonly type: "ERROR"; readonly status: Status };

/** A Status object, which the API server sends in place of what was requested. */
export interface Status {
  readonly message: string;
  /** The HTTP status that the server would have answered with; undefined if it names none. */
  readonly code: number | undefined;
  readonly retryAfterSeconds: number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** Of a name, a uid or a zone, in characters; the API allows no longer ones. */
const maxTextLength = 253;
/** The limits of the API for a slice. https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/discovery/validation/validation.go */
const [maxPorts, maxZoneHints] = [20_000, 8];

const noFields: Fields = {};

/** The value as an object; one without fields for anything else. */
function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : noFields;
}

/** @throws RangeError that names the field */
function expected(what: string, got: unknown): RangeError {
  const text = JSON.stringify(got) ?? "nothing";
  return new RangeError(`${what}, got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`);
}

/** Reads a line of a watch. @throws SyntaxError or RangeError for anything but an event */
export function readWatchEvent<T extends ApiObject>(line: string, read: (object: unknown) => T): WatchEvent<T> {
  const { type, object } = fieldsOf(JSON.parse(line));
  if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") {
    const changed = read(object);
    if (changed.name === "") throw new RangeError(changed.defect); // no API server sends that
    return { type, object: changed };
  }
  if (type === "BOOKMARK") return { type, resourceVersion: versionOf(fieldsOf(object).metadata) };
  if (type === "ERROR") return { type, status: readStatus(object) };
  throw expected("the type of an event must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR", type);
}

/** The version of the API that a list is of, by its kind. */
const apiVersions: Readonly<Record<string, string>> = { EndpointSliceList: "discovery.k8s.io/v1", ServiceList: "v1" };

/** One page of a list. */
export interface ListPage<T extends ApiObject> {
  readonly items: readonly T[];
  readonly resourceVersion: string | undefined;
  /** Undefined for the last page. */
  readonly continue: string | undefined;
}

/** Reads a page of a list. @throws RangeError for anything but a list of this kind, which must not count as an empty list */
export function readList<T extends ApiObject>(value: unknown, kind: string, read: (object: unknown) => T): ListPage<T> {
  const { kind: got, apiVersion, items, metadata, message } = fieldsOf(value);
  if (got !== kind) {
    const what = typeof message === "string" ? `${got ?? "an object"}: ${message.slice(0, 200)}` : (got ?? value);
    throw expected(`the answer must be of kind ${kind}`, what);
  }
  const wanted = apiVersions[kind] ?? "v1";
  if (apiVersion !== wanted) throw expected(`the apiVersion of the ${kind} must be ${wanted}`, apiVersion);
  if (items !== null && !Array.isArray(items)) throw expected(`the items of the ${kind} must be a list`, items);
  if (typeof (metadata ?? noFields) !== "object" || Array.isArray(metadata))
    throw expected(`the metadata of the ${kind} must be an object`, metadata);
  const next = fieldsOf(metadata).continue ?? "";
  if (typeof next !== "string") throw expected(`metadata.continue of the ${kind} must be text`, next);
  return {
    items: (items ?? []).map((item) => named(read(item))),
    resourceVersion: versionOf(metadata),
    continue: next === "" ? undefined : next,
  };
}

/** @throws RangeError for an object without a name, which no API server sends */
function named<T extends ApiObject>(object: T): T {
  if (object.name === "") throw new RangeError(object.defect);
  return object;
}

function versionOf(metadata: unknown): string | undefined {
  const { resourceVersion } = fieldsOf(metadata);
  const isVersion = typeof resourceVersion === "string" && resourceVersion !== "";
  return isVersion && resourceVersion.length <= maxTextLength ? resourceVersion : undefined;
}

/** The codes of the reasons that decide what to do next. */
const codes: Readonly<Record<string, number>> = { Expired: 410, Gone: 410, Unauthorized: 401, Forbidden: 403 };

/** Never throws: what is missing is "" or undefined. */
export function readStatus(value: unknown): Status {
  const { message, code, reason, details } = fieldsOf(value);
  const { retryAfterSeconds } = fieldsOf(details);
  const isCode = typeof code === "number" && Number.isInteger(code) && code >= 100 && code <= 599;
  return {
    message: typeof message === "string" ? message : "",
    code: isCode ? code : typeof reason === "string" && Object.hasOwn(codes, reason) ? codes[reason] : undefined,
    retryAfterSeconds: typeof retryAfterSeconds === "number" ? retryAfterSeconds : undefined,
  };
}

/** Never throws. */
export function readEndpointSlice(value: unknown): EndpointSlice {
  const { metadata, addressType, endpoints, ports } = fieldsOf(value);
  const { name } = fieldsOf(metadata);
  let defect: string | undefined;
  const isNamed = typeof name === "string" && name !== "" && name.length <= maxTextLength;
  if (!isNamed) defect = expected("metadata.name must be text", name).message;
  const isKnownType = addressType === "IPv4" || addressType === "IPv6" || addressType === "FQDN";
  if (!isKnownType) defect ??= expected("addressType must be IPv4, IPv6 or FQDN", addressType).message;
  const type = isKnownType ? addressType : "FQDN"; // of which no address is used
  const found: SliceEndpoint[] = [];
  const all = isKnownType ? (endpoints ?? []) : []; // addresses of an unknown type cannot be read
  if (!Array.isArray(all)) defect ??= expected("endpoints must be a list", endpoints).message;
  else {
    for (let n = 0; n < all.length; n++) {
      const read = readSliceEndpoint(all[n], type);
      if (typeof read === "string") defect ??= `endpoints[${n}]${read}`;
      else if (read) found.push(read);
    }
  }
  const read = readPorts(ports, "ports");
  defect ??= read.defect;
  return {
    name: isNamed ? name : "",
    resourceVersion: versionOf(metadata),
    addressType: type,
    endpoints: found,
    ports: read.ports,
    defect,
    ...(defect !== undefined && { notReady: listNotReady(all, type) }),
  };
}

function listNotReady(endpoints: unknown, type: EndpointSlice["addressType"]): readonly string[] {
  if (!Array.isArray(endpoints)) return [];
  const notReady = endpoints.filter((endpoint) => readSliceEndpoint(endpoint, type) === undefined);
  return notReady.map(({ addresses }) => addresses[0]);
}

/**
 * Returns a reader of the slices of one Service. Of a slice with the label of another Service nothing is used, and the defect
 * names that one: the server was asked for this label.
 */
export function readSlicesOf(service: string): (value: unknown) => EndpointSlice {
  return (value) => {
    const slice = readEndpointSlice(value);
    const { labels } = fieldsOf(fieldsOf(value).metadata);
    const label = fieldsOf(labels)["kubernetes.io/service-name"] ?? service;
    if (label === service) return slice;
    const defect = expected(`its label kubernetes.io/service-name must be ${service}`, label).message;
    return { ...slice, endpoints: [], ports: [], defect: slice.defect ?? defect, notReady: [] };
  };
}

/**
 * Reads an endpoint: undefined if it gets no traffic, the reason as text if it cannot be read.
 *
 * `ready` absent means ready; a terminating endpoint is never ready, but while it still serves it is better than none
 * (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions).
 */
function readSliceEndpoint(value: unknown, type: EndpointSlice["addressType"]): SliceEndpoint | string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return expected(" must be an object", value).message;
  const { addresses, conditions, targetRef, nodeName, zone, hints } = value as Fields;
  const host: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
  const isHost = typeof host === "string" && (type === "IPv4" ? isIPv4(host) : type === "FQDN" || isIPv6(host));
  if (!isHost) return expected(`.addresses must be ${type} addresses`, addresses).message;
  const [states, target, hint] = [conditions ?? noFields, targetRef ?? noFields, hints ?? noFields];
  const areObjects =
    typeof states === "object" &&
    typeof target === "object" &&
    typeof hint === "object" &&
    !(Array.isArray(states) || Array.isArray(target) || Array.isArray(hint));
  if (!areObjects) return describeWrongPart({ conditions: states, targetRef: target, hints: hint });
  const { ready = null, serving = null, terminating = null } = states as Fields;
  const { uid = null, name = null } = target as Fields;
  const zones = (hint as Fields).forZones ?? noZones;
  // Here and not field by field in functions: this runs for each endpoint of a slice with each change of one.
  const isRead =
    (ready === null || typeof ready === "boolean") &&
    (serving === null || typeof serving === "boolean") &&
    (terminating === null || typeof terminating === "boolean") &&
    (uid === null || (typeof uid === "string" && uid.length <= maxTextLength)) &&
    (name === null || (typeof name === "string" && name.length <= maxTextLength)) &&
    (zone === undefined || zone === null || (typeof zone === "string" && zone.length <= maxTextLength)) &&
    (nodeName === undefined ||
      nodeName === null ||
      (typeof nodeName === "string" && nodeName.length <= maxTextLength)) &&
    Array.isArray(zones);
  if (!isRead) return describeDefect({ ready, serving, terminating }, { uid, name, zone, nodeName }, zones);
  const forZones = zones.length === 0 ? noZones : readZones(zones);
  if (typeof forZones === "string") return forZones;
  const isReady = ready ?? true;
  if (!terminating && !isReady) return undefined;
  return {
    host,
    state: !terminating ? "ready" : (serving ?? isReady) ? "draining" : "ended",
    uid: uid || undefined,
    podName: name || undefined,
    nodeName: nodeName || undefined,
    zone: zone || undefined,
    forZones,
  };
}

const noZones: readonly string[] = [];

/** The names of the zones, or as text why they cannot be read. */
function readZones(zones: readonly unknown[]): readonly string[] | string {
  const names: string[] = [];
  for (const zone of zones.slice(0, maxZoneHints)) {
    const { name } = fieldsOf(zone);
    if (!isShortText(name)) return expected(".hints.forZones must have names", zone).message;
    names.push(name);
  }
  return names;
}

const isShortText = (value: unknown): value is string => typeof value === "string" && value.length <= maxTextLength;

function describeWrongPart(parts: Fields): string {
  const [name, part] = Object.entries(parts).find(([, each]) => typeof each !== "object" || Array.isArray(each)) ?? [];
  return expected(`.${name} must be an object`, part).message;
}

function describeDefect(conditions: Fields, texts: Fields, zones: unknown): string {
  for (const [name, condition] of Object.entries(conditions)) {
    const isCondition = condition === null || typeof condition === "boolean";
    if (!isCondition) return expected(`.conditions.${name} must be true or false`, condition).message;
  }
  for (const [name, text] of Object.entries(texts)) {
    const isText = text === undefined || text === null || isShortText(text);
    const field = name === "uid" || name === "name" ? `targetRef.${name}` : name;
    if (!isText) return expected(`.${field} must be text`, text).message;
  }
  return expected(".hints.forZones must be a list", zones).message;
}

function readPorts(value: unknown, field: string): { readonly ports: readonly ApiPort[]; readonly defect?: string } {
  const all = value ?? [];
  if (!Array.isArray(all)) return { ports: [], defect: expected(`${field} must be a list`, value).message };
  const ports: ApiPort[] = [];
  let defect: string | undefined;
  if (all.length > maxPorts) defect = `${field} must be at most ${maxPorts}, got ${all.length}`;
  for (let n = 0; n < all.length && n < maxPorts; n++) {
    const each: unknown = all[n];
    const { name, port, protocol } = fieldsOf(each);
    const [number, text, spoken] = [port ?? undefined, name ?? "", protocol ?? "TCP"]; // what the API calls the defaults
    if (each === null || typeof each !== "object" || Array.isArray(each))
      defect ??= expected(`${field}[${n}] must be an object`, each).message;
    else if (number !== undefined && !isPortNumber(number))
      defect ??= expected(`${field}[${n}].port must be from 1 to 65535`, port).message;
    else if (typeof text !== "string" || text.length > maxTextLength)
      defect ??= expected(`${field}[${n}].name must be text`, name).message;
    else if (typeof spoken !== "string" || spoken.length > maxTextLength)
      defect ??= expected(`${field}[${n}].protocol must be text`, protocol).message;
    else ports.push({ name: text, port: number, protocol: spoken });
  }
  return { ports, ...(defect !== undefined && { defect }) };
}

/** Why the annotations cannot be read; undefined if they can. */
function describeAnnotations(value: unknown): string | undefined {
  if (typeof (value ?? noFields) !== "object" || Array.isArray(value))
    return expected("metadata.annotations must be an object", value).message;
  const [name, text] = Object.entries(fieldsOf(value)).find(([, each]) => typeof each !== "string") ?? [];
  return name === undefined
    ? undefined
    : expected(`metadata.annotations: ${name.slice(0, 100)} must be text`, text).message;
}

/** Never throws. */
export function readService(value: unknown): Service {
  const { kind, metadata, spec } = fieldsOf(value);
  const { name, annotations } = fieldsOf(metadata);
  const { type, externalName, clusterIP, selector, ports } = fieldsOf(spec);
  const read = readPorts(ports, "spec.ports");
  const isService = typeof name === "string" && name !== "" && (kind === undefined || kind === "Service");
  const isSpec = typeof spec === "object" && spec !== null && !Array.isArray(spec);
  const inSpec = isSpec
    ? (read.defect ?? describeAnnotations(annotations))
    : expected("spec must be an object", spec).message;
  const defect = isService ? inSpec : expected("the answer must be a Service with a name", value).message;
  const texts = Object.entries(fieldsOf(annotations)).filter(([, text]) => typeof text === "string");
  return {
    name: isService ? (name as string) : "",
    resourceVersion: versionOf(metadata),
    type: typeof type === "string" ? type : "ClusterIP",
    externalName: typeof externalName === "string" ? externalName : undefined,
    isHeadless: clusterIP === "None",
    hasSelector: Object.keys(fieldsOf(selector)).length > 0,
    ports: read.ports,
    annotations: Object.fromEntries(texts) as Record<string, string>,
    defect,
  };
}

/** Parses a JSON answer. @throws RangeError that does not repeat the text */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RangeError("the answer is not valid JSON", { cause: messageOf(cause) });
  }
}
