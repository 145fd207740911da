import type { Random } from "@grpc-lb/core";
import type { Fields } from "../../config/fields.ts";
import { headerOf, type PickArgs } from "../../grpc-js.ts";
import { type ClientIdentity, readHashKey } from "../client-key.ts";
import { hashKey } from "./key-hash.ts";

const clientKeys = ["random", "pod_uid", "hostname", "address"] as const;
type ClientKey = (typeof clientKeys)[number];

/** Where a hash policy gets the key of a call. */
export interface KeyConfig {
  /** The request header whose value is the key. Default: undefined, all calls have the client's own key. */
  readonly requestHashHeader: string | undefined;
  /** The key of calls without that header; `random` for a different one each time. */
  readonly key: ClientKey;
}

/** @param fallback the default of `key` */
export function parseKeyConfig(fields: Fields, fallback: ClientKey): KeyConfig {
  const header = fields.text("requestHashHeader")?.toLowerCase();
  if (header !== undefined && (!/^[0-9a-z_.-]+$/.test(header) || header.endsWith("-bin"))) {
    throw new RangeError(`requestHashHeader must be the name of a text header (gRFC A76), got "${header}"`);
  }
  return { requestHashHeader: header, key: fields.choice("key", clientKeys, fallback) };
}

/** The number of different hashes of `hashText32`. */
const hashRange = 2 ** 32;

/**
 * Creates a function that hashes a call's key with `hashText32`. Several values of the header are joined by commas. A call without
 * the header has the client's own key, or with `random` a different hash each time (gRFC A76).
 */
export function createRequestHash(
  { requestHashHeader, key }: KeyConfig,
  random: Random,
  client?: ClientIdentity,
): (args: PickArgs) => number {
  const ownHash = key === "random" ? undefined : hashKey(readHashKey(key, client));
  const fallback = () => ownHash ?? (random() * hashRange) | 0;
  if (requestHashHeader === undefined) return fallback;
  return ({ metadata }) => {
    const values = headerOf(metadata, requestHashHeader);
    if (!values || values.length === 0) return fallback();
    return hashKey(values.length === 1 ? String(values[0]) : values.join(","));
  };
}
