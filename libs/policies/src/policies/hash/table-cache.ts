import type { Child } from "../../balancer/child.ts";
import { metadataText } from "../../balancer/endpoint-info.ts";
import { configuredWeight, type WeightConfig } from "../weights/weights.ts";
import type { KeyedMember } from "./key-order.ts";

/**
 * Keeps a hash table for as long as it is valid. The table depends on the endpoints and their weights, not on which of them are
 * connected, so that an endpoint that loses its connection moves only its own keys.
 *
 * Get the table with a call, not with an update: it takes milliseconds to build with hundreds of endpoints, and there may be
 * many updates before the next call.
 */
export class TableCache<Table, Config extends WeightConfig> {
  readonly #create: (members: readonly KeyedMember[], config: Config) => Table;
  #cached: { readonly members: readonly KeyedMember[]; readonly config: Config; readonly table: Table } | undefined;

  constructor(create: (members: readonly KeyedMember[], config: Config) => Table) {
    this.#create = create;
  }

  /** The table of all children. When no child in `ready` has a weight, all weigh the same: some endpoint must take the call. */
  get(children: readonly Child[], ready: readonly Child[], config: Config): Table {
    const weighted = children.map((child) => memberOf(child, config));
    const members = ready.some(({ index }) => (weighted[index]?.weight ?? 0) > 0) ? weighted : weighted.map(unweighted);
    const cached = this.#cached;
    if (cached && cached.config === config && isSame(cached.members, members)) return cached.table;
    const table = this.#create(members, config);
    this.#cached = { members, config, table };
    return table;
  }
}

/** The source may give an endpoint a key that survives a change of its address (gRFC A76); the address is the default. */
function memberOf(child: Child, config: WeightConfig): KeyedMember {
  return { key: metadataText(child.info, "hashKey") ?? child.info.address, weight: configuredWeight(child, config) };
}

const unweighted = ({ key }: KeyedMember): KeyedMember => ({ key, weight: 1 });

const isSame = (a: readonly KeyedMember[], b: readonly KeyedMember[]) =>
  a.length === b.length && a.every(({ key, weight }, i) => key === b[i]?.key && weight === b[i]?.weight);

/** For each child, by index, 1 if it is in `ready` and 0 if not. */
export function flagsOf(children: readonly Child[], ready: readonly Child[]): Uint8Array {
  const flags = new Uint8Array(children.length);
  for (const { index } of ready) flags[index] = 1;
  return flags;
}

/** The flags with those of the avoided children cleared; the same array when there are none. */
export function without(flags: Uint8Array, avoided: ReadonlySet<Child> | undefined): Uint8Array {
  if (!avoided) return flags;
  const others = Uint8Array.from(flags);
  for (const { index } of avoided) others[index] = 0;
  return others;
}
