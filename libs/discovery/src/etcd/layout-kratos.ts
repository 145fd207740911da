import { formatAddress, parseAddress } from "../core/address.ts";
import { asObject, type Layout } from "./layout.ts";

/**
 * The layout of kratos's registry (github.com/go-kratos/kratos, contrib/registry/etcd): key `/microservices/<name>/<id>`,
 * value `{"id","name","version","metadata","endpoints":["grpc://10.0.0.1:9000?isSecure=false","http://10.0.0.1:8000"]}`. The
 * endpoint of gRPC is taken.
 */
export const kratosLayout: Layout = {
  prefix: (service) => `/microservices/${service}/`,
  read(value) {
    const { endpoints, metadata, version } = asObject(JSON.parse(value));
    const texts = Array.isArray(endpoints) ? endpoints.map(String) : [];
    const [, address, query = ""] =
      texts.map((text) => /^grpcs?:\/\/([^/?]*)\/?(?:\?(.*))?$/.exec(text)).find((match) => match !== null) ?? [];
    if (address === undefined) throw new RangeError(`it has no endpoint of gRPC among [${texts.join(", ")}]`);
    const isSecure = new URLSearchParams(query).get("isSecure");
    return {
      address: parseAddress(address),
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
};
