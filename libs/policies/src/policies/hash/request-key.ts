import { hostname, networkInterfaces } from "node:os";
import type { Random } from "@grpc-lb/core";
import type { Fields } from "../../config/fields.ts";
import { headerOf, type PickArgs } from "../../grpc-js.ts";
import { hashText32 } from "./xxhash64.ts";

/** What a client may be known by. */
const clientKeys = ["random", "pod_uid", "hostname", "address"] as const;
type ClientKey = (typeof clientKeys)[number];

/** What a hash policy chooses by. */
export interface KeyConfig {
  /** The request header whose value is the key; undefined: the client's own key for all calls. */
  readonly requestHashHeader: string | undefined;
  /** The key of calls without that header. */
  readonly key: ClientKey;
}

/** @param fallback what calls have that bring no header of their own */
export function parseKeyConfig(fields: Fields, fallback: ClientKey): KeyConfig {
  const header = fields.text("requestHashHeader")?.toLowerCase();
  if (header !== undefined && (!/^[0-9a-z_.-]+$/.test(header) || header.endsWith("-bin"))) {
    throw new RangeError(`requestHashHeader must be the name of a header of text (gRFC A76), got "${header}"`);
  }
  return { requestHashHeader: header, key: fields.choice("key", clientKeys, fallback) };
}

/** Where the client's own keys come from; given in tests. */
export interface ClientIdentity {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly address: string | undefined;
}

const thisClient: ClientIdentity = {
  env: process.env,
  hostname: hostname(),
  get address() {
    const all = Object.values(networkInterfaces()).flat();
    return all.find((address) => address && !address.internal)?.address;
  },
};

/** How many hashes `hashText32` gives. */
const hashRange = 2 ** 32;

/**
 * The hash of each call's key, as `hashText32` gives it. Several values of the header are joined by commas; a call without one
 * has the client's own key, or with `random` another hash each time (gRFC A76).
 */
export function createRequestHash(
  { requestHashHeader, key }: KeyConfig,
  random: Random,
  client = thisClient,
): (args: PickArgs) => number {
  const own = ownKey(key, client);
  const ownHash = own === undefined ? undefined : hashText32(own);
  const fallback = () => ownHash ?? (random() * hashRange) | 0;
  if (requestHashHeader === undefined) return fallback;
  return ({ metadata }) => {
    const values = headerOf(metadata, requestHashHeader);
    if (!values || values.length === 0) return fallback();
    return hashText32(values.length === 1 ? String(values[0]) : values.join(","));
  };
}

/** A pod's uid comes from the Downward API as POD_UID; what is not known gives way to the next best. */
function ownKey(key: ClientKey, { env, hostname, address }: ClientIdentity): string | undefined {
  if (key === "random") return undefined;
  if (key === "pod_uid") return env.POD_UID || env.POD_NAME || hostname;
  if (key === "address") return env.POD_IP || address || hostname;
  return hostname;
}
