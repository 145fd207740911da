import type { Child } from "../../balancer/child.ts";
import { metadataText } from "../../balancer/endpoint-info.ts";
import { givenWeight, type WeightConfig } from "../weights/weights.ts";
import type { KeyedMember } from "./key-order.ts";

/**
 * Keeps a table for as long as it is true: it depends on the endpoints there are and on their weights, not on which of them
 * are connected, so that an endpoint which comes and goes takes no other's keys. To be asked at a call, not at an update: it
 * costs milliseconds with hundreds of endpoints, of which many updates may come before the next call, or no call at all.
 */
export class TableCache<Table, Config extends WeightConfig> {
  readonly #create: (members: readonly KeyedMember[], config: Config) => Table;
  #made: { readonly members: readonly KeyedMember[]; readonly config: Config; readonly table: Table } | undefined;

  constructor(create: (members: readonly KeyedMember[], config: Config) => Table) {
    this.#create = create;
  }

  /** The table of these children. When none of the ready has weight all count the same: endpoints are there, and somebody must take the call. */
  get(children: readonly Child[], ready: readonly Child[], config: Config): Table {
    const given = children.map((child) => memberOf(child, config));
    const members = ready.some(({ index }) => (given[index]?.weight ?? 0) > 0) ? given : given.map(equal);
    const made = this.#made;
    if (made && made.config === config && isSame(made.members, members)) return made.table;
    const table = this.#create(members, config);
    this.#made = { members, config, table };
    return table;
  }
}

/** A key that stays when the address changes may be given by the source (gRFC A76); the address is the default. */
function memberOf(child: Child, config: WeightConfig): KeyedMember {
  return { key: metadataText(child.info, "hashKey") ?? child.info.address, weight: givenWeight(child, config) };
}

const equal = ({ key }: KeyedMember): KeyedMember => ({ key, weight: 1 });

const isSame = (a: readonly KeyedMember[], b: readonly KeyedMember[]) =>
  a.length === b.length && a.every(({ key, weight }, i) => key === b[i]?.key && weight === b[i]?.weight);

/** Which children take calls, by index. */
export function flagsOf(children: readonly Child[], ready: readonly Child[]): Uint8Array {
  const flags = new Uint8Array(children.length);
  for (const { index } of ready) flags[index] = 1;
  return flags;
}
