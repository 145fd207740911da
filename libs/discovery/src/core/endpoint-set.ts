import { isDeepStrictEqual } from "node:util";
import type { Endpoint } from "./snapshot.ts";

interface Entry {
  readonly endpoint: Endpoint;
  readonly isStandby: boolean;
  /** Larger for what was set later. */
  readonly serial: number;
}

/** Endpoints in the order of their ids, and the changes that the next reader applies in one pass. */
interface Tier {
  /** Replaced when it changes, and never changed, so that it may be given away. */
  all: readonly Endpoint[];
  /** By id; undefined is to be deleted. */
  readonly changes: Map<string, Endpoint | undefined>;
}

/**
 * The endpoints of one service. Three rules hold, whatever a source puts in:
 *
 * - An endpoint that did not change stays the same object.
 * - One address is one endpoint. Of endpoints that share an address, one that takes traffic precedes a standby, one with more
 *   addresses precedes one with fewer, and the one that was set last precedes the others.
 * - A standby (an endpoint of weight 0, or one that drains) is used only while there is no other.
 *
 * The work of a change is that of the change, not of the set.
 */
export class EndpointSet {
  readonly #entries = new Map<string, Entry>();
  /** The ids of the endpoints that have an address. */
  readonly #idsAt = new Map<string, string[]>();
  /** The ids of endpoints that share an address, or did so, since the last reader. */
  readonly #undecided = new Set<string>();
  readonly #active: Tier = { all: [], changes: new Map() };
  readonly #standby: Tier = { all: [], changes: new Map() };
  /** The places of the last `replaceAll` that keeps its order, by id. */
  #places: ReadonlyMap<string, number> | undefined;
  /** What `#ordered` was made of. */
  #unordered: readonly Endpoint[] | undefined;
  #ordered: readonly Endpoint[] = [];
  #serial = 0;

  /** The endpoints to use, by id; an array that is replaced when it changes, and never changed. */
  get all(): readonly Endpoint[] {
    if (this.#undecided.size > 0) this.#decide();
    if (this.#active.changes.size > 0) applyChanges(this.#active);
    let { all } = this.#active;
    if (all.length === 0) {
      if (this.#standby.changes.size > 0) applyChanges(this.#standby);
      all = this.#standby.all;
    }
    return this.#places ? this.#putInOrder(all, this.#places) : all;
  }

  /** How many were put in, those that share an address and standbys included. */
  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Endpoint | undefined {
    return this.#entries.get(id)?.endpoint;
  }

  ids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Puts an endpoint in, or replaces the one of the same id. */
  set(endpoint: Endpoint, { isStandby = endpoint.weight === 0 }: { readonly isStandby?: boolean } = {}): void {
    const { id } = endpoint;
    const known = this.#entries.get(id);
    if (known && known.isStandby === isStandby && isDeepStrictEqual(known.endpoint, endpoint)) return;
    if (known) this.#withdraw(known);
    this.#entries.set(id, { endpoint, isStandby, serial: ++this.#serial });
    for (const { host, port } of endpoint.addresses) {
      const key = `${host} ${port}`;
      const ids = this.#idsAt.get(key);
      if (ids) this.#undecided.add(id);
      if (ids) ids.push(id);
      else this.#idsAt.set(key, [id]);
    }
    (isStandby ? this.#standby : this.#active).changes.set(id, endpoint);
  }

  delete(id: string): void {
    const known = this.#entries.get(id);
    if (known) this.#withdraw(known);
  }

  /**
   * Makes `endpoints` all there is.
   *
   * @param options.keepsOrder whether `all` has their order, not that of the ids, until the next `replaceAll`; what is set
   * meanwhile follows them
   */
  replaceAll(endpoints: readonly Endpoint[], { keepsOrder = false }: { readonly keepsOrder?: boolean } = {}): void {
    const places = new Map(endpoints.map(({ id }, n) => [id, n]));
    for (const id of [...this.#entries.keys()]) if (!places.has(id)) this.delete(id);
    for (const endpoint of endpoints) this.set(endpoint);
    this.#places = keepsOrder ? places : undefined;
    this.#unordered = undefined;
  }

  /** Takes an entry out. */
  #withdraw({ endpoint, isStandby }: Entry): void {
    const { id, addresses } = endpoint;
    this.#entries.delete(id);
    (isStandby ? this.#standby : this.#active).changes.set(id, undefined);
    for (const { host, port } of addresses) {
      const key = `${host} ${port}`;
      const others = this.#idsAt.get(key)?.filter((each) => each !== id) ?? [];
      if (others.length > 0) this.#idsAt.set(key, others);
      else this.#idsAt.delete(key);
      if (others[0] !== undefined) this.#undecided.add(others[0]); // by which the rest is found
    }
  }

  /** Decides which endpoints are used, of those that share an address or are linked by others that do. */
  #decide(): void {
    const seen = new Set<string>();
    const rivals: Entry[] = [];
    for (const id of this.#undecided) {
      const entry = this.#entries.get(id);
      if (entry) rivals.push(entry);
      for (const { host, port } of entry?.endpoint.addresses ?? []) {
        const key = `${host} ${port}`;
        if (seen.has(key)) continue;
        seen.add(key);
        for (const other of this.#idsAt.get(key) ?? []) this.#undecided.add(other); // the loop reaches them too
      }
    }
    this.#undecided.clear();
    const taken = new Set<string>();
    for (const { endpoint, isStandby } of rivals.sort(byPrecedence)) {
      const keys = endpoint.addresses.map(({ host, port }) => `${host} ${port}`);
      const isUsed = !keys.some((key) => taken.has(key));
      if (isUsed) for (const key of keys) taken.add(key);
      (isStandby ? this.#standby : this.#active).changes.set(endpoint.id, isUsed ? endpoint : undefined);
    }
  }

  #putInOrder(all: readonly Endpoint[], places: ReadonlyMap<string, number>): readonly Endpoint[] {
    if (all === this.#unordered) return this.#ordered;
    this.#unordered = all;
    const placeOf = ({ id }: Endpoint) => places.get(id) ?? places.size;
    const before = this.#ordered;
    const ordered = all.toSorted((a, b) => placeOf(a) - placeOf(b));
    const isSame = before.length === ordered.length && before.every((each, n) => each === ordered[n]);
    if (!isSame) this.#ordered = ordered;
    return this.#ordered;
  }
}

function byPrecedence(a: Entry, b: Entry): number {
  if (a.isStandby !== b.isStandby) return a.isStandby ? 1 : -1;
  return b.endpoint.addresses.length - a.endpoint.addresses.length || b.serial - a.serial;
}

/** Applies the changes of a tier; its array stays the same when they change nothing. */
function applyChanges(tier: Tier): void {
  const before = tier.all;
  const isOne = tier.changes.size === 1;
  const changes = isOne ? tier.changes : [...tier.changes].sort(([a], [b]) => (a < b ? -1 : 1));
  const next: Endpoint[] = [];
  let hasChanged = false;
  let from = 0;
  for (const [id, endpoint] of changes) {
    let at = from;
    for (let high = before.length; at < high; ) {
      const middle = (at + high) >>> 1;
      if ((before[middle] as Endpoint).id < id) at = middle + 1;
      else high = middle;
    }
    const known = before[at]?.id === id ? before[at] : undefined;
    if (known !== endpoint) hasChanged = true;
    if (isOne) {
      // Arrays are fastest at moving references in bulk.
      if (hasChanged) tier.all = before.toSpliced(at, known ? 1 : 0, ...(endpoint ? [endpoint] : []));
      tier.changes.clear();
      return;
    }
    for (let i = from; i < at; i++) next.push(before[i] as Endpoint);
    if (endpoint) next.push(endpoint);
    from = known ? at + 1 : at;
  }
  for (let i = from; i < before.length; i++) next.push(before[i] as Endpoint);
  tier.changes.clear();
  if (hasChanged) tier.all = next;
}
