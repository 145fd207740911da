import type { PagePod, PodState } from "../page/protocol.ts";

/** More pods than any page shows; those that are gone make room. */
const maxPods = 200;
/** How many pods that are gone stay on the page. */
const keptGone = 2;

/** The pods, by their names; each keeps its letter. */
export class PodBook {
  readonly #pods = new Map<string, PagePod>();
  #count = 0;

  /** @returns the state before; undefined for a new pod */
  set(name: string, state: PodState, node: string, zone: string): PodState | undefined {
    const before = this.#pods.get(name);
    const { index, letter } = before ?? this.#next();
    const place = { node: node || before?.node || "", zone: zone || before?.zone || "" };
    this.#pods.set(name, { name, letter, index, state, ...place });
    const gone = [...this.#pods.values()].filter((pod) => pod.state === "gone");
    const extra = this.#pods.size > maxPods ? gone.length : gone.length - keptGone;
    for (const pod of gone.slice(0, Math.max(0, extra))) this.#pods.delete(pod.name);
    return before?.state;
  }

  /** Adds a pod of which only an answer is known. */
  answered(name: string): void {
    if (!this.#pods.has(name)) this.set(name, "ready", "", "");
  }

  get all(): readonly PagePod[] {
    return [...this.#pods.values()];
  }

  /** The names of the pods that could answer. */
  get present(): readonly string[] {
    return this.all.filter(({ state }) => isPresent(state)).map(({ name }) => name);
  }

  letterOf(name: string): string {
    return this.#pods.get(name)?.letter ?? "?";
  }

  #next(): { readonly index: number; readonly letter: string } {
    const index = this.#count++;
    return { index, letter: letterOf(index) };
  }
}

/** Whether a pod in this state could answer. */
export const isPresent = (state: PodState) => state !== "added" && state !== "unready" && state !== "gone";

/** A to Z, then AA, AB, … */
export function letterOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : `${letterOf(Math.floor(index / 26) - 1)}${last}`;
}
