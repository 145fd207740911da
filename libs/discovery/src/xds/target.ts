import { messageOf } from "@grpc-lb/core";
import { parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { unescapeText } from "../core/target/parameters.ts";
import type { Scheme } from "../core/target/scheme.ts";

const protocols = ["auto", "delta", "sotw"] as const;

/** `xds://control-plane:18000/name`: the endpoints that a control plane of xDS has by a name. */
export interface XdsTarget {
  readonly t: "xds";
  readonly controlPlane: Address;
  /** The name of the EDS resource, such as `outbound|30051||server.default.svc.cluster.local` of istiod. */
  readonly name: string;
  /** Delta, state of the world, or the first of them that the control plane has. Default: auto. */
  readonly protocol: (typeof protocols)[number];
}

/** The port of istiod and of most examples differ; this one is our control plane's. */
const defaultPort = 18_000;
/** In characters. */
const maxNameLength = 1_024;

export const xds: Scheme<XdsTarget> = {
  grammar: `xds://control-plane[:${defaultPort}]/name[?protocol=${protocols.join("|")}]`,
  parameters: ["protocol"],
  parse({ authority, path, parameters, wrong }) {
    let controlPlane: Address;
    try {
      controlPlane = parseAddress(authority, defaultPort);
    } catch (error) {
      throw wrong(`the control plane ${messageOf(error)}`);
    }
    const name = unescapeText(path, wrong);
    if (name === "") throw wrong("it names no endpoints");
    if (name.length > maxNameLength) {
      throw wrong(`the name must have at most ${maxNameLength} characters, got ${name.length}`);
    }
    if (/\p{C}/u.test(name)) throw wrong("the name has a control character");
    return { t: "xds", controlPlane, name, protocol: parameters.choice("protocol", protocols) ?? "auto" };
  },
};
