import type { PageHappening } from "../page/protocol.ts";

/** How many entries of pods, scenes and notes stay, and how many of connections, which are far more. */
const kept = { few: 60, many: 40 };

const isOfConnection = ({ kind }: PageHappening) => kind === "connection" || kind === "goaway";

/** The last things that happened, the oldest first. */
export class Timeline {
  #entries: PageHappening[] = [];
  #last = 0;

  add(atMs: number, kind: PageHappening["kind"], text: string): void {
    const entry = { id: ++this.#last, atMs, kind, text };
    const alike = this.#entries.filter((each) => isOfConnection(each) === isOfConnection(entry));
    const limit = isOfConnection(entry) ? kept.many : kept.few;
    const dropped = alike.length >= limit ? alike[0] : undefined;
    this.#entries = [...this.#entries.filter((each) => each !== dropped), entry];
  }

  get entries(): readonly PageHappening[] {
    return this.#entries;
  }
}
