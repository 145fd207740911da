import { formatAddress } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { isWeight } from "../core/weight.ts";
import type { Layout } from "./layout.ts";

/** What a value is to a source. */
export interface ReadValue {
  readonly endpoint: Endpoint | undefined;
  /** What is wrong with it; an endpoint may be usable all the same. */
  readonly problem: string | undefined;
}

/**
 * Reads what stands under a key. `weight` and `zone` of the metadata become fields of the endpoint, and the rest is kept as
 * text. Never throws: anybody may have written it.
 *
 * @param id the key behind the prefix, which is the endpoint's identity
 */
export function readValue(layout: Layout, id: string, value: string): ReadValue {
  try {
    const registered = layout.read(value);
    if (!registered) return { endpoint: undefined, problem: undefined };
    const { weight: told, zone, ...rest } = registered.metadata;
    const weight = typeof told === "string" && told.trim() !== "" ? Number(told) : (told ?? 1);
    const isKnown = isWeight(weight);
    const endpoint: Endpoint = {
      id,
      addresses: [registered.address],
      weight: isKnown ? weight : 1,
      zone: typeof zone === "string" && zone !== "" ? zone : undefined,
      forZones: [],
      nodeName: undefined,
      metadata: Object.fromEntries(Object.entries(rest).map(([name, each]) => [name, asText(each)])),
    };
    const problem = isKnown ? undefined : `${formatAddress(registered.address)} has the weight ${JSON.stringify(told)}`;
    return { endpoint, problem };
  } catch (error) {
    return { endpoint: undefined, problem: (error as Error).message };
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
