import { redactAddress } from "@grpc-lb/core";
import { canonicalHost, formatAddress, parseAddress } from "../core/address.ts";
import type { Instance } from "../core/registration.ts";
import type { Address } from "../core/snapshot.ts";

/** How a registry lays out keys and values; the README has the table. */
export type LayoutName = "endpoints" | "kratos" | "go-micro" | "value" | "key";

/** Which layout, and where its keys are. */
export interface LayoutOptions {
  /** Default: `endpoints`, the layout of etcd's Go package `client/v3/naming/endpoints`. */
  readonly layout?: LayoutName | undefined;
  /**
   * What stands before the service in each key, as the registry itself is given it; for `kratos` and `go-micro` alone. Default:
   * theirs, `/microservices` and `/micro/registry`.
   */
  readonly namespace?: string | undefined;
}

/** What a key and its value contain. */
export interface Registered {
  readonly address: Address;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** One layout, for reading and for writing. */
export interface Layout {
  readonly name: LayoutName;
  /**
   * What all keys of a service begin with, and no others; ends with a slash.
   *
   * @throws RangeError for a service that has no such prefix
   */
  prefix(service: string): string;
  /**
   * Reads what an instance has written.
   *
   * @param id the key behind the prefix
   * @returns undefined for a value that takes the instance out
   * @throws UnreadableValue
   */
  read(id: string, value: string): Registered | undefined;
  /** The key behind the prefix, and the value, of an instance. */
  write(instance: Instance): { readonly key: string; readonly value: string };
}

/** Why a value is not an instance; the message has nothing of its content, which may be secret. */
export class UnreadableValue extends Error {}

type Definition = Pick<Layout, "read" | "write"> & { readonly namespace?: string };

const definitions: Readonly<Record<LayoutName, Definition>> = {
  /**
   * https://pkg.go.dev/go.etcd.io/etcd/client/v3/naming/endpoints: value `{"Op":0,"Addr":"10.0.0.1:80","Metadata":…}`. There,
   * `Metadata` may be anything; here an object is read, and anything else becomes its field `metadata`.
   */
  endpoints: {
    read(_, value) {
      const { Op, Addr, Metadata } = readObject(value);
      if (Op === 1) return undefined; // "delete"
      const isObject = typeof Metadata === "object" && !Array.isArray(Metadata);
      const metadata = isObject ? asObject(Metadata ?? {}) : Metadata === undefined ? {} : { metadata: Metadata };
      return { address: readAddress("the field Addr", Addr), metadata };
    },
    write({ address, metadata = {}, weight }) {
      const Addr = formatAddress(address);
      const all = { ...metadata, ...(weight !== undefined && { weight }) };
      const Metadata = Object.keys(all).length > 0 ? all : null;
      return { key: Addr, value: JSON.stringify({ Op: 0, Addr, Metadata }) };
    },
  },
  /**
   * https://github.com/go-kratos/kratos/tree/main/contrib/registry/etcd: value `{"id","name","version","metadata",
   * "endpoints":["grpc://10.0.0.1:9000?isSecure=false","http://10.0.0.1:8000"]}`. The gRPC endpoint is taken.
   */
  kratos: {
    namespace: "/microservices",
    read(_, value) {
      const { endpoints, metadata, version } = readObject(value);
      const texts = Array.isArray(endpoints) ? endpoints.filter((each) => typeof each === "string") : undefined;
      if (!texts) throw new UnreadableValue("the field endpoints is not a list");
      const [, address, query = ""] =
        texts.map((text) => /^grpcs?:\/\/([^/?]*)\/?(?:\?(.*))?$/s.exec(text)).find((match) => match !== null) ?? [];
      if (address === undefined) {
        const schemes = texts.map((text) => /^[a-z]{1,16}(?=:\/\/)/.exec(text)?.[0] ?? "none");
        throw new UnreadableValue(`none of its ${texts.length} endpoints is of gRPC; schemes: ${listSome(schemes)}`);
      }
      const isSecure = new URLSearchParams(query).get("isSecure");
      return {
        address: readAddress("the gRPC endpoint", address),
        metadata: {
          ...asObject(metadata ?? {}),
          ...(typeof version === "string" && version !== "" && { version }),
          ...(isSecure !== null && { isSecure }),
        },
      };
    },
    write({ service, address, metadata = {}, weight }) {
      const { version = "", ...rest } = metadata;
      const id = formatAddress(address);
      const all = { ...rest, ...(weight !== undefined && { weight: String(weight) }) };
      const endpoints = [`grpc://${id}?isSecure=${metadata.isSecure ?? "false"}`];
      return { key: id, value: JSON.stringify({ id, name: service, version, metadata: all, endpoints }) };
    },
  },
  /**
   * https://github.com/micro/go-micro/tree/master/registry/etcd: one key a node, value `{"name","version","metadata",
   * "endpoints","nodes":[{"id":"server-1","address":"10.0.0.1:8080","metadata":{}}]}`; old ones have a `port` of its own.
   */
  "go-micro": {
    namespace: "/micro/registry",
    read(id, value) {
      const { nodes, version } = readObject(value);
      if (!Array.isArray(nodes)) throw new UnreadableValue("the field nodes is not a list");
      const all = nodes.map(asObject);
      const node = all.find((each) => each.id === id) ?? all[0];
      if (!node) throw new UnreadableValue("the list nodes is empty");
      const { address, port, metadata } = node;
      const hasPort = typeof port === "number" && port > 0 && typeof address === "string";
      const text = hasPort ? formatAddress({ host: canonicalHost(address), port }) : address;
      return {
        address: readAddress("the field address of its node", text),
        metadata: {
          ...asObject(metadata ?? {}),
          ...(typeof version === "string" && version !== "" && { version }),
        },
      };
    },
    write({ service, address, metadata = {}, weight }) {
      const { version = "latest", ...rest } = metadata;
      const id = formatAddress(address);
      const all = { protocol: "grpc", ...rest, ...(weight !== undefined && { weight: String(weight) }) };
      const nodes = [{ id, address: id, metadata: all }];
      return { key: id, value: JSON.stringify({ name: service, version, metadata: null, endpoints: [], nodes }) };
    },
  },
  /** https://github.com/zeromicro/go-zero/blob/master/core/discov/publisher.go: value `10.0.0.1:8080`, any key. */
  value: {
    read: (_, value) => ({ address: readAddress("its value", value.trim()), metadata: {} }),
    write: writeAddress,
  },
  /** Registries written by hand: the last part of the key is the address, and the value does not count. */
  key: {
    read: (id) => ({ address: readAddress("the last part of the key", id.split("/").at(-1)), metadata: {} }),
    write: writeAddress,
  },
};

export const layoutNames = Object.keys(definitions) as readonly LayoutName[];

/** @throws RangeError for a name that no layout has, or a namespace that cannot be */
export function createLayout({ layout: name = "endpoints", namespace }: LayoutOptions): Layout {
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
  if (!definition) throw new RangeError(`layout must be ${layoutNames.join(" or ")}, got "${name}"`);
  const { read, write } = definition;
  if (namespace !== undefined) {
    if (definition.namespace === undefined) {
      throw new RangeError(`namespace needs layout kratos or go-micro; with ${name} it is a part of the service`);
    }
    requireParts("namespace", namespace);
  }
  const root = namespace ?? definition.namespace;
  return {
    name,
    read,
    write,
    prefix(service) {
      requireParts("service", service);
      if (root === undefined) return `${service}/`;
      if (service.startsWith("/")) {
        throw new RangeError(`service must not begin with a slash in layout ${name}, got "${redactAddress(service)}"`);
      }
      // go-micro has no slashes in names: https://github.com/micro/go-micro/blob/master/registry/etcd/etcd.go
      return `${root}/${name === "go-micro" ? service.replaceAll("/", "-") : service}/`;
    },
  };
}

/** One slash may begin a name: many registries have keys such as `/services/shop/1`. */
function requireParts(what: string, name: string): void {
  if (!name.replace(/^\//, "").split("/").includes("")) return;
  throw new RangeError(`${what} must be a name without empty parts, got "${redactAddress(name)}"`);
}

/** An instance of which nothing but its address can be written. */
function writeAddress({ address, weight = 1 }: Instance): { readonly key: string; readonly value: string } {
  if (weight !== 1) throw new RangeError(`this layout has no place for a weight, got ${weight}`);
  const text = formatAddress(address);
  return { key: text, value: text };
}

function readObject(value: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new UnreadableValue("it is not JSON"); // the SyntaxError has a piece of the value in it
  }
  return asObject(parsed);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UnreadableValue("it is not a JSON object");
}

function readAddress(what: string, text: unknown): Address {
  if (text === undefined) throw new UnreadableValue(`${what} is missing`);
  if (typeof text !== "string") throw new UnreadableValue(`${what} is not text`);
  try {
    return parseAddress(text);
  } catch {
    throw new UnreadableValue(`${what} must be host:port, an IPv6 host in brackets`); // the RangeError has the text in it
  }
}

/** At most eight different ones. */
export function listSome(names: readonly string[]): string {
  const unique = [...new Set(names)];
  return unique.length > 8 ? `${unique.slice(0, 8).join(", ")}, …` : unique.join(", ");
}
