import type { Snapshot, Source, SourceStats } from "@grpc-lb/discovery";

/** A source with a view of what it does. */
export interface CountedSource extends Source {
  readonly stats?: SourceStats | undefined;
}

/** A source that is loaded when somebody watches it: what it is made of costs nothing until then. */
export class LazySource implements CountedSource {
  readonly subject: string;
  readonly #load: () => Promise<CountedSource>;
  #source: CountedSource | undefined;

  /**
   * @param subject for messages until it is loaded, and when it cannot be
   * @param load called with the first watch, and again after it has failed
   */
  constructor(subject: string, load: () => Promise<CountedSource>) {
    this.subject = subject;
    this.#load = load;
  }

  /** Undefined until it is loaded, and for a source that does not count. */
  get stats(): SourceStats | undefined {
    return this.#source?.stats;
  }

  async *watch(signal?: AbortSignal): AsyncGenerator<Snapshot, void, void> {
    this.#source ??= await this.#load();
    if (!signal?.aborted) yield* this.#source.watch(signal);
  }
}
