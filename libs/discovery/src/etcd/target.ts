import { messageOf } from "@grpc-lb/core";
import { parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { unescapeText } from "../core/target/parameters.ts";
import type { Scheme } from "../core/target/scheme.ts";
import { createLayout, type LayoutName, layoutNames } from "./layouts.ts";

/** `etcd://host:2379,host2:2379/service`: a service whose instances are registered in etcd. */
export interface EtcdTarget {
  readonly t: "etcd";
  /** The members of the cluster, at least one. */
  readonly members: readonly Address[];
  /** Its keys without what follows the last slash; may contain slashes and begin with one: `etcd://host//service`. */
  readonly service: string;
  /** How keys and values are laid out. Default: endpoints, as etcd's Go client does. */
  readonly layout: LayoutName;
  /** What stands before the service, for layouts that have that. Default: the layout's. */
  readonly namespace: string | undefined;
}

const defaultPort = 2379;

export const etcd: Scheme<EtcdTarget> = {
  grammar: `etcd://host[:2379][,host2[:2379]]/service[?layout=${layoutNames.join("|")}&namespace=], //service for keys that begin with a slash`,
  parameters: ["layout", "namespace"],
  mayBeginWithSlash: true,
  parse({ authority, path, parameters, wrong }) {
    const members = authority.split(",").map((text) => {
      try {
        return parseAddress(text, defaultPort);
      } catch (error) {
        throw wrong(`a member of the cluster ${messageOf(error)}`);
      }
    });
    const service = unescapeText(path, wrong);
    if (service === "" || service === "/") throw wrong("it names no service");
    const layout = parameters.choice("layout", layoutNames) ?? "endpoints";
    const namespace = parameters.text("namespace");
    try {
      createLayout({ layout, namespace }).prefix(service);
    } catch (error) {
      throw wrong(messageOf(error));
    }
    return { t: "etcd", members, service, layout, namespace };
  },
};
