import type { Source } from "@grpc-lb/discovery";
import { SharedSource, type SharedSourceOptions } from "./shared-source.ts";

/**
 * The shared sources that are in use, one for each key. Who wants one asks for it whenever it begins to watch, and subscribes
 * at once: when the last subscriber has gone and the watch has ended, the source is forgotten.
 */
export class SharedSources<S extends Source = Source> {
  readonly #options: SharedSourceOptions;
  readonly #byKey = new Map<string, SharedSource<S>>();

  constructor(options: SharedSourceOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Those that somebody watches. */
  get inUse(): [key: string, shared: SharedSource<S>][] {
    return [...this.#byKey].filter(([, { subscribers }]) => subscribers > 0);
  }

  /** The source of this key: the one there is, also while its watch is ending, else a new one. */
  get(key: string, create: () => S): SharedSource<S> {
    let shared = this.#byKey.get(key);
    if (!shared) {
      shared = new SharedSource(create(), { ...this.#options, onEnded: () => this.#byKey.delete(key) });
      this.#byKey.set(key, shared);
    }
    return shared;
  }
}
