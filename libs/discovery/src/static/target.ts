import { messageOf } from "@grpc-lb/core";
import { formatAddress, parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import type { Scheme } from "../core/target/scheme.ts";
import { isWeight } from "../core/weight.ts";

/** `static:///a:1,b:2`: the endpoints of the target itself. */
export interface StaticTarget {
  readonly t: "static";
  /** At least one, each address once. */
  readonly endpoints: readonly { readonly address: Address; readonly weight: number }[];
}

export const staticScheme: Scheme<StaticTarget> = {
  grammar: "static:///host:port[,host:port][?weights=3,1]",
  parameters: ["weights"],
  parse({ authority, path, parameters, wrong }) {
    if (authority !== "") throw wrong(`the addresses stand behind three slashes, and "${authority}" behind two`);
    if (path === "") throw wrong("it names no address");
    const addresses = path.split(",").map((text) => {
      try {
        return parseAddress(text);
      } catch (error) {
        throw wrong(`an address ${messageOf(error)}`);
      }
    });
    const seen = new Set<string>();
    for (const text of addresses.map(formatAddress)) {
      if (seen.has(text)) throw wrong(`it names "${text}" twice`);
      seen.add(text);
    }
    const weights = parameters.text("weights")?.split(",") ?? addresses.map(() => "1");
    if (weights.length !== addresses.length) {
      throw wrong(`weights must be one for each of the ${addresses.length} addresses, got ${weights.length}`);
    }
    const weightOf = (text: string) => {
      const weight = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      if (!isWeight(weight)) throw wrong(`a weight must be a number from 0 to 2^32 - 1, got "${text}"`);
      return weight;
    };
    return { t: "static", endpoints: addresses.map((address, n) => ({ address, weight: weightOf(weights[n] ?? "") })) };
  },
};
