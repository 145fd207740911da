import type { Reference } from "./references.ts";
import type { Resource } from "./resource.ts";
import { type ResourceChange, Snapshot } from "./snapshot.ts";

/** A change of some resources. */
export interface SnapshotUpdate {
  /** New and changed ones. Default: none. */
  readonly upserts?: Iterable<Resource> | undefined;
  /** Those to remove; ones that are not there are ignored. Default: none. */
  readonly removals?: Iterable<Reference> | undefined;
  /** Names that become pending, see `SnapshotOptions`. They are pending until an upsert or a removal of the same name. Default: none. */
  readonly pending?: Iterable<Reference> | undefined;
}

/** What else belongs to a set of resources. */
export interface SnapshotOptions {
  /**
   * Names whose resources are not known yet, such as the endpoints of a registry that has not answered. Clients that request them get
   * no answer: they wait, or keep what they have from another control plane. Other resources may name them. If the cache has a resource
   * of such a name, it stays. Endpoints and routes only: clients get listeners and clusters as whole sets. Default: none.
   */
  readonly pending?: Iterable<Reference> | undefined;
}

/** How many resources are new, changed or removed; or why the resources are not consistent: then the last good ones stay. */
export type SnapshotResult = { readonly changed: number } | { readonly error: string };

/** The resources of a group, to read. */
export type SnapshotView = Pick<Snapshot, "get" | "isPending" | "all" | "typeUrls" | "version">;

/** Receives what has changed, right after it; nothing when names are no longer pending and have no resource. */
export type SnapshotListener = (changes: readonly ResourceChange[]) => void;

interface Group {
  /** Undefined until the first resources are there. */
  snapshot: Snapshot | undefined;
  readonly listeners: Set<SnapshotListener>;
}

/**
 * What a control plane serves: one consistent set of resources for each group of clients. A set is checked before it is served: what
 * a resource names is there, and names are unique.
 */
export class SnapshotCache {
  readonly #groups = new Map<string, Group>();

  /**
   * Replaces the resources of a group. Costs a look at each resource; those that are the same, by their version, are not sent again.
   * An empty set is one, too: it tells clients that there is nothing.
   *
   * @returns the error if the set is not consistent; then the last good set stays
   */
  setSnapshot(group: string, resources: Iterable<Resource>, options: SnapshotOptions = {}): SnapshotResult {
    const pending = [...(options.pending ?? [])];
    const difference = (this.#groups.get(group)?.snapshot ?? new Snapshot()).compare(resources, pending);
    return typeof difference === "string"
      ? { error: difference }
      : this.updateSnapshot(group, { ...difference, pending });
  }

  /**
   * Changes some resources of a group. The cost is that of the change, however many resources there are.
   *
   * @returns the error if the result would not be consistent; then the last good set stays
   */
  updateSnapshot(group: string, { upserts = [], removals = [], pending = [] }: SnapshotUpdate): SnapshotResult {
    const known = this.#group(group);
    const snapshot = known.snapshot ?? new Snapshot();
    const applied = snapshot.apply({ upserts, removals, pending: [...pending] });
    if (typeof applied === "string") return { error: applied };
    const { changes, hasSettled } = applied;
    const isFirst = known.snapshot === undefined;
    known.snapshot = snapshot;
    if (changes.length > 0 || hasSettled || isFirst) for (const listener of [...known.listeners]) listener(changes);
    return { changed: changes.length };
  }

  /** The resources of a group as they are at each moment; undefined before the first ones. */
  snapshot(group: string): SnapshotView | undefined {
    return this.#groups.get(group)?.snapshot;
  }

  /**
   * Tells a listener about each change of a group, also of one that has no resources yet.
   *
   * @returns a function that ends it; the listener is not called after that
   */
  watch(group: string, listener: SnapshotListener): () => void {
    const { listeners } = this.#group(group);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      const known = this.#groups.get(group);
      if (known && !known.snapshot && listeners.size === 0) this.#groups.delete(group);
    };
  }

  #group(name: string): Group {
    const known = this.#groups.get(name) ?? { snapshot: undefined, listeners: new Set() };
    this.#groups.set(name, known);
    return known;
  }
}
