import { describeResource, isListed } from "../type-urls.ts";
import type { Reference } from "./references.ts";
import type { Resource } from "./resource.ts";

/** A resource that is new, changed or removed. */
export interface ResourceChange {
  readonly typeUrl: string;
  readonly name: string;
  /** Undefined for a new one. */
  readonly previous: Resource | undefined;
  /** Undefined for one that is removed. */
  readonly current: Resource | undefined;
}

/** A change of a snapshot. */
export interface SnapshotChange {
  readonly upserts: Iterable<Resource>;
  /** Names without a resource are ignored, except that they are no longer pending. */
  readonly removals: Iterable<Reference>;
  /** Names whose resources are not known yet. A resource of such a name that is there stays. */
  readonly pending: readonly Reference[];
}

/** What a change has done. */
export interface AppliedChange {
  readonly changes: readonly ResourceChange[];
  /** Whether there are names that are no longer pending. */
  readonly hasSettled: boolean;
}

/** The resources of one group of clients, always consistent. Costs of a change grow with the change, not with the set. */
export class Snapshot {
  readonly #types = new Map<string, Map<string, Resource>>();
  /** How many resources name a resource. */
  readonly #referrers = new Map<string, number>();
  readonly #versions = new Map<string, bigint>();
  /** By key: the names that have no resource because it is not known yet. */
  readonly #pending = new Map<string, Reference>();

  get(typeUrl: string, name: string): Resource | undefined {
    return this.#types.get(typeUrl)?.get(name);
  }

  /** Whether it is not known yet what the name has: clients get no answer. */
  isPending(typeUrl: string, name: string): boolean {
    return this.#pending.size > 0 && this.#pending.has(keyOf({ typeUrl, name }));
  }

  /** All resources of a type by name; a live view. */
  all(typeUrl: string): ReadonlyMap<string, Resource> {
    return this.#types.get(typeUrl) ?? none;
  }

  /** The types that there are, or were. */
  typeUrls(): Iterable<string> {
    return this.#types.keys();
  }

  /** The version of all resources of a type together: the same resources have the same version. */
  version(typeUrl: string): string {
    return (this.#versions.get(typeUrl) ?? 0n).toString(16).padStart(16, "0");
  }

  /**
   * What the wanted resources would change.
   *
   * @returns the error if a name is given twice
   */
  compare(
    wanted: Iterable<Resource>,
    pending: readonly Reference[],
  ): { readonly upserts: Resource[]; readonly removals: Reference[] } | string {
    const seen = new Map<string, Set<string>>();
    const upserts: Resource[] = [];
    for (const resource of wanted) {
      const names = seen.get(resource.typeUrl) ?? new Set();
      if (names.has(resource.name)) return `${describeResource(resource)} is given twice`;
      seen.set(resource.typeUrl, names.add(resource.name));
      if (this.get(resource.typeUrl, resource.name)?.version !== resource.version) upserts.push(resource);
    }
    const stillPending = new Set(pending.map(keyOf));
    const removals = [...this.#pending].flatMap(([key, reference]) => (stillPending.has(key) ? [] : [reference]));
    for (const [typeUrl, resources] of this.#types) {
      const names = seen.get(typeUrl);
      if (names?.size === resources.size && upserts.length === 0) continue;
      for (const name of resources.keys()) if (!names?.has(name)) removals.push({ typeUrl, name });
    }
    return { upserts, removals };
  }

  /**
   * Applies a change if the result is consistent, or else nothing of it.
   *
   * @returns what has changed, or the error
   */
  apply({ upserts, removals, pending }: SnapshotChange): AppliedChange | string {
    const changes = new Map<string, ResourceChange>();
    const settled = new Map<string, Reference>();
    const newlyPending = new Map<string, Reference>();
    for (const reference of pending) {
      if (reference.name === "") return `${describeResource(reference)} has no name`;
      if (isListed(reference.typeUrl)) {
        return `${describeResource(reference)} is pending, which only resources that clients request by name can be`;
      }
      newlyPending.set(keyOf(reference), reference);
    }
    for (const { typeUrl, name } of removals) {
      const key = keyOf({ typeUrl, name });
      if (newlyPending.has(key)) continue;
      const previous = this.get(typeUrl, name);
      if (previous) changes.set(key, { typeUrl, name, previous, current: undefined });
      else if (this.#pending.has(key)) settled.set(key, { typeUrl, name });
    }
    for (const current of upserts) {
      const { typeUrl, name } = current;
      const key = keyOf(current);
      if (name === "") return `${describeResource(current)} has no name`;
      if (changes.has(key)) return `${describeResource(current)} is given twice`;
      const previous = this.get(typeUrl, name);
      if (previous?.version !== current.version) changes.set(key, { typeUrl, name, previous, current });
      settled.delete(key);
    }
    const error = this.#check(changes, settled, newlyPending);
    if (error !== undefined) return error;
    for (const change of changes.values()) this.#commit(change);
    for (const key of [...settled.keys(), ...changes.keys()]) this.#pending.delete(key);
    for (const [key, { typeUrl, name }] of newlyPending) {
      if (!this.get(typeUrl, name)) this.#pending.set(key, { typeUrl, name });
    }
    return { changes: [...changes.values()], hasSettled: settled.size > 0 };
  }

  #check(
    changes: ReadonlyMap<string, ResourceChange>,
    settled: ReadonlyMap<string, Reference>,
    newlyPending: ReadonlyMap<string, Reference>,
  ): string | undefined {
    const released = new Map<string, number>();
    for (const { previous, current } of changes.values()) {
      for (const reference of previous?.references ?? []) count(released, keyOf(reference), 1);
      for (const reference of current?.references ?? []) {
        const key = keyOf(reference);
        const change = changes.get(key);
        const target = change ? change.current : this.get(reference.typeUrl, reference.name);
        const isPending = newlyPending.has(key) || (this.#pending.has(key) && !settled.has(key));
        if (!target && !isPending && current) return missing(current, reference);
      }
    }
    const gone: [key: string, Reference][] = [...settled];
    for (const [key, change] of changes) if (!change.current) gone.push([key, change]);
    for (const [key, reference] of gone) {
      if ((this.#referrers.get(key) ?? 0) === (released.get(key) ?? 0)) continue;
      for (const resources of this.#types.values()) {
        for (const resource of resources.values()) {
          const isKept = !changes.has(keyOf(resource));
          if (isKept && resource.references.some((one) => keyOf(one) === key)) return missing(resource, reference);
        }
      }
    }
    return undefined;
  }

  #commit({ typeUrl, name, previous, current }: ResourceChange): void {
    const resources = this.#types.get(typeUrl) ?? new Map<string, Resource>();
    this.#types.set(typeUrl, resources);
    if (current) resources.set(name, current);
    else resources.delete(name);
    let version = this.#versions.get(typeUrl) ?? 0n;
    for (const one of [previous, current]) if (one) version ^= BigInt(`0x${one.version}`);
    this.#versions.set(typeUrl, version);
    for (const reference of previous?.references ?? []) count(this.#referrers, keyOf(reference), -1);
    for (const reference of current?.references ?? []) count(this.#referrers, keyOf(reference), 1);
  }
}

const none: ReadonlyMap<string, Resource> = new Map();

function keyOf({ typeUrl, name }: Reference): string {
  return `${typeUrl} ${name}`;
}

function count(counts: Map<string, number>, key: string, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

function missing(referrer: Reference, target: Reference): string {
  return `${describeResource(referrer)} names ${describeResource(target)}, which is not there`;
}
