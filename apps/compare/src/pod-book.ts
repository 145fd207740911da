import type { PagePod, PodState } from "../page/protocol.ts";

/** More pods than any page shows. */
export const maxPods = 200;
/** How many pods that are gone stay on the page. */
const keptGone = 2;
/** How many names of pods that are gone are remembered, because a client may report their last calls late. */
const keptGoneNames = 1_000;
/** Stands for the pods that have no place. */
const otherPods = "other pods";

/** The pods, by their names; each keeps its letter. */
export class PodBook {
  readonly #pods = new Map<string, PagePod>();
  /** The pods that are gone and on the page, in the order in which they went. */
  readonly #shownGone = new Set<string>();
  /** The pods that are gone and not on the page, the latest last. */
  readonly #goneNames = new Set<string>();
  /** Undefined while nobody reports endpoints. */
  #endpoints: ReadonlySet<string> | undefined;
  #count = 0;
  #isFull = false;

  /** @returns the state before; undefined for a pod that was not on the page */
  set(name: string, state: PodState, node: string, zone: string): PodState | undefined {
    const before = this.#pods.get(name);
    if (!before && state === "gone") {
      this.#remember(name);
      return undefined;
    }
    if (!before && !this.#hasRoom()) return undefined;
    const { index, letter } = before ?? this.#next();
    const place = { node: node || before?.node || "", zone: zone || before?.zone || "" };
    this.#goneNames.delete(name); // a StatefulSet's pod comes back with its name
    this.#pods.set(name, { name, letter, index, state, ...place });
    if (state === "gone") {
      this.#shownGone.add(name);
      this.#removeGone(keptGone);
    } else this.#shownGone.delete(name);
    return before?.state;
  }

  /**
   * Adds a pod of which only an answer or an endpoint is known; a pod that is gone stays gone.
   *
   * @returns the name under which its calls are counted
   */
  mention(name: string): string {
    if (this.#pods.has(name) || this.#goneNames.has(name)) return name;
    this.set(name, "ready", "", "");
    return this.#pods.has(name) ? name : otherPods;
  }

  /** The Service's endpoints have changed. @returns the pods that came and went */
  setEndpoints(names: readonly string[]): { readonly added: readonly string[]; readonly removed: readonly string[] } {
    const before = this.#endpoints ?? new Set();
    this.#endpoints = new Set(names.slice(0, maxPods));
    for (const name of this.#endpoints) this.mention(name);
    return {
      added: [...this.#endpoints].filter((name) => !before.has(name)),
      removed: [...before].filter((name) => !this.#endpoints?.has(name)),
    };
  }

  has(name: string): boolean {
    return this.#pods.has(name);
  }

  /** Whether there are pods that have no place. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get all(): readonly PagePod[] {
    return [...this.#pods.values()];
  }

  /** The names of the pods that clients should call: the endpoints, if these are known, that can answer. */
  get callable(): readonly string[] {
    const answering = this.all.filter(({ state }) => state === "ready" || state === "slow").map(({ name }) => name);
    return answering.filter((name) => this.#endpoints?.has(name) ?? true);
  }

  letterOf(name: string): string {
    return this.#pods.get(name)?.letter ?? "?";
  }

  #hasRoom(): boolean {
    if (this.#pods.size >= maxPods) this.#removeGone(0);
    this.#isFull = this.#pods.size >= maxPods;
    return !this.#isFull;
  }

  /** Removes the pods that are gone, except for those that went last. */
  #removeGone(kept: number): void {
    const count = Math.max(0, this.#shownGone.size - kept);
    for (const name of [...this.#shownGone].slice(0, count)) {
      this.#shownGone.delete(name);
      this.#pods.delete(name);
      this.#remember(name);
      this.#isFull = false;
    }
  }

  #remember(name: string): void {
    this.#goneNames.delete(name);
    this.#goneNames.add(name);
    const [oldest] = this.#goneNames;
    if (this.#goneNames.size > keptGoneNames && oldest !== undefined) this.#goneNames.delete(oldest);
  }

  #next(): { readonly index: number; readonly letter: string } {
    const index = this.#count++;
    return { index, letter: letterOf(index) };
  }
}

/** A to Z, then AA, AB, … */
export function letterOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : `${letterOf(Math.floor(index / 26) - 1)}${last}`;
}
