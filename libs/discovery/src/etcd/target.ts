import { parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { unescapeText } from "../core/target/parameters.ts";
import type { Scheme } from "../core/target/scheme.ts";

/** `etcd://host:2379,host2:2379/service`: a service whose instances have registered in etcd. */
export interface EtcdTarget {
  readonly t: "etcd";
  /** The members of the cluster, at least one. */
  readonly members: readonly Address[];
  /** Its key without the slash at the end; may have slashes inside. */
  readonly service: string;
  /** Whose keys and values: those of etcd's own `client/v3/naming/endpoints`, or of kratos. Default: endpoints. */
  readonly layout: "endpoints" | "kratos";
}

const defaultPort = 2379;

export const etcd: Scheme<EtcdTarget> = {
  grammar: "etcd://host[:2379][,host2[:2379]]/service[?layout=kratos]",
  parameters: ["layout"],
  parse({ authority, path, parameters, wrong }) {
    const members = authority.split(",").map((text) => {
      try {
        return parseAddress(text, defaultPort);
      } catch (error) {
        throw wrong(`a member of the cluster ${(error as Error).message}`);
      }
    });
    const service = unescapeText(path, wrong);
    if (service === "") throw wrong("it names no service");
    if (service.split("/").includes("")) throw wrong(`"${service}" is no service: a part of it is empty`);
    return { t: "etcd", members, service, layout: parameters.choice("layout", ["endpoints", "kratos"]) ?? "endpoints" };
  },
};
