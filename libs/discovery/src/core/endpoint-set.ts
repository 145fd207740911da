import { isDeepStrictEqual } from "node:util";
import { describeType } from "@grpc-lb/core";
import { requireEndpoint } from "./require-endpoint.ts";
import type { Endpoint } from "./snapshot.ts";

interface Entry {
  readonly endpoint: Endpoint;
  readonly isStandby: boolean;
  /** Grows with each `set`. */
  readonly serial: number;
}

/** Endpoints sorted by id, and the pending changes that the next read applies in one pass. */
interface Tier {
  /** A change replaces the array and never mutates it, so that callers may keep it. */
  all: readonly Endpoint[];
  /** By id; undefined deletes the endpoint. */
  readonly changes: Map<string, Endpoint | undefined>;
}

/**
 * The endpoints of one service. Three rules hold for any input:
 *
 * - An endpoint that did not change stays the same object.
 * - One address belongs to one endpoint. Of several endpoints that share an address, one is used: an active endpoint before a
 *   standby, then the one with more addresses, then the one that was set last.
 * - A standby (an endpoint of weight 0, or one that drains) is used only while there is no other.
 *
 * The work of a change grows with the change, not with the set.
 */
export class EndpointSet {
  readonly #entries = new Map<string, Entry>();
  /** By address: the ids of the endpoints that have it. */
  readonly #idsAt = new Map<string, string[]>();
  /** The ids of endpoints that began or stopped sharing an address since the last read. */
  readonly #undecided = new Set<string>();
  readonly #active: Tier = { all: [], changes: new Map() };
  readonly #standby: Tier = { all: [], changes: new Map() };
  /** By id: the positions in the last `replaceAll`; undefined if it does not keep its order. */
  #places: ReadonlyMap<string, number> | undefined;
  /** The array from which `#ordered` was sorted. */
  #unordered: readonly Endpoint[] | undefined;
  #ordered: readonly Endpoint[] = [];
  #serial = 0;

  /** The endpoints to use, sorted by id unless `replaceAll` keeps its order. A change replaces the array and never mutates it. */
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

  /** The number of all endpoints, including standbys and those that are not used because they share an address. */
  get size(): number {
    return this.#entries.size;
  }

  /** The endpoint of an id, used or not. */
  get(id: string): Endpoint | undefined {
    return this.#entries.get(id)?.endpoint;
  }

  /** The ids of all endpoints, used or not. */
  ids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Adds an endpoint, or replaces the one with the same id. @throws TypeError for a wrong endpoint; nothing changes */
  set(endpoint: Endpoint, { isStandby }: { readonly isStandby?: boolean } = {}): void {
    requireEndpoint(endpoint);
    this.#put(endpoint, isStandby ?? endpoint.weight === 0);
  }

  #put(endpoint: Endpoint, isStandby: boolean): void {
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

  /** Removes an endpoint, if there is one of this id. */
  delete(id: string): void {
    const known = this.#entries.get(id);
    if (known) this.#withdraw(known);
  }

  /**
   * Replaces all endpoints. With `keepsOrder`, `all` keeps the order of `endpoints` instead of sorting by id, until the next
   * `replaceAll`; endpoints that `set` adds in the meantime come last.
   *
   * @throws TypeError unless it is a list of endpoints, RangeError for an id that occurs twice; nothing changes
   */
  replaceAll(endpoints: readonly Endpoint[], { keepsOrder = false }: { readonly keepsOrder?: boolean } = {}): void {
    if (!Array.isArray(endpoints)) throw new TypeError(`the endpoints must be a list, got ${describeType(endpoints)}`);
    for (const endpoint of endpoints) requireEndpoint(endpoint);
    const places = new Map<string, number>();
    for (const [n, { id }] of endpoints.entries()) {
      if (places.has(id)) throw new RangeError(`the endpoints must have each id once, got ${JSON.stringify(id)} twice`);
      places.set(id, n);
    }
    for (const id of [...this.#entries.keys()]) if (!places.has(id)) this.delete(id);
    for (const endpoint of endpoints) this.#put(endpoint, endpoint.weight === 0);
    this.#places = keepsOrder ? places : undefined;
    this.#unordered = undefined;
  }

  /** Removes an entry. */
  #withdraw({ endpoint, isStandby }: Entry): void {
    const { id, addresses } = endpoint;
    this.#entries.delete(id);
    (isStandby ? this.#standby : this.#active).changes.set(id, undefined);
    for (const { host, port } of addresses) {
      const key = `${host} ${port}`;
      const others = this.#idsAt.get(key) ?? [];
      // In place: a copy for each of thousands of endpoints that share an address would take seconds.
      for (let at = others.indexOf(id); at >= 0; at = others.indexOf(id)) others.splice(at, 1);
      if (others.length === 0) this.#idsAt.delete(key);
      if (others[0] !== undefined) this.#undecided.add(others[0]); // `#decide` finds the rest through this one
    }
  }

  /** Decides which endpoints are used among those that share an address, directly or through other endpoints. */
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
        for (const other of this.#idsAt.get(key) ?? []) this.#undecided.add(other); // the loop visits these, too
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

/** Applies the pending changes of a tier; keeps the array if they change nothing. */
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
      // `toSpliced` copies the references in bulk, which is faster than a loop.
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
