import { formatAddress, parseAddress } from "../core/address.ts";
import { asObject, type Layout } from "./layout.ts";

/**
 * The layout of etcd's own Go package `client/v3/naming/endpoints`: key `<service>/<anything>`, value
 * `{"Op":0,"Addr":"10.0.0.1:80","Metadata":…}`. There, `Metadata` may be anything; here an object is read, and anything else
 * becomes its field `metadata`.
 */
export const endpointsLayout: Layout = {
  prefix: (service) => `${service}/`,
  read(value) {
    const { Op, Addr, Metadata } = asObject(JSON.parse(value));
    if (Op === 1) return undefined; // "delete"
    if (typeof Addr !== "string") throw new RangeError("it has no Addr");
    const isObject = typeof Metadata === "object" && !Array.isArray(Metadata);
    const metadata = isObject ? asObject(Metadata ?? {}) : Metadata === undefined ? {} : { metadata: Metadata };
    return { address: parseAddress(Addr), metadata };
  },
  write({ address, metadata = {}, weight }) {
    const Addr = formatAddress(address);
    const all = { ...metadata, ...(weight !== undefined && { weight }) };
    const Metadata = Object.keys(all).length > 0 ? all : null;
    return { key: Addr, value: JSON.stringify({ Op: 0, Addr, Metadata }) };
  },
};
