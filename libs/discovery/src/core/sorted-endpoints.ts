import type { Endpoint } from "./snapshot.ts";

/**
 * Endpoints in the order of their ids, as an array that is replaced and never changed, so that it may be given away.
 * Changes are gathered and applied by the next look in one pass, which copies references and compares few ids.
 */
export class SortedEndpoints {
  #all: readonly Endpoint[] = [];
  /** By id; undefined is to be deleted. */
  readonly #changes = new Map<string, Endpoint | undefined>();

  get all(): readonly Endpoint[] {
    if (this.#changes.size > 0) this.#apply();
    return this.#all;
  }

  set(endpoint: Endpoint): void {
    this.#changes.set(endpoint.id, endpoint);
  }

  delete(id: string): void {
    this.#changes.set(id, undefined);
  }

  #apply(): void {
    const changes = [...this.#changes];
    this.#changes.clear();
    const next = changes.length <= fewChanges ? this.#splice(changes) : this.#merge(changes);
    if (next) this.#all = next;
  }

  /** One copy, in which few places are changed: moving references in bulk is what arrays are fastest at. */
  #splice(changes: readonly Change[]): readonly Endpoint[] | undefined {
    let next: Endpoint[] | undefined;
    for (const [id, endpoint] of changes) {
      const at = find(next ?? this.#all, id, 0);
      const found = (next ?? this.#all)[at];
      const there = found?.id === id ? found : undefined;
      if (there === endpoint) continue;
      const instead = endpoint ? [endpoint] : [];
      if (next) next.splice(at, there ? 1 : 0, ...instead);
      else next = this.#all.toSpliced(at, there ? 1 : 0, ...instead);
    }
    return next;
  }

  /** One pass over all, for many changes. */
  #merge(changes: readonly Change[]): readonly Endpoint[] | undefined {
    const next: Endpoint[] = [];
    let from = 0;
    let hasChanged = false;
    for (const [id, endpoint] of changes.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const at = find(this.#all, id, from);
      const there = this.#all[at]?.id === id ? this.#all[at] : undefined;
      if (there !== endpoint) hasChanged = true;
      for (let i = from; i < at; i++) next.push(this.#all[i] as Endpoint);
      if (endpoint) next.push(endpoint);
      from = there ? at + 1 : at;
    }
    for (let i = from; i < this.#all.length; i++) next.push(this.#all[i] as Endpoint);
    return hasChanged ? next : undefined;
  }
}

type Change = readonly [id: string, endpoint: Endpoint | undefined];

/** Up to here it is cheaper to move the rest of a copy for each change than to build it anew. */
const fewChanges = 8;

/** Where the id is, or would be, at or behind `from`. */
function find(all: readonly Endpoint[], id: string, from: number): number {
  let low = from;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((all[middle]?.id ?? "") < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
