import type { EndpointSlice, Service } from "./endpoint-slice.ts";

/** Who looks at the slices of a service: one for each port that somebody asked for. */
export interface FeedView {
  onSlice(slice: EndpointSlice): void;
  onSliceGone(name: string): void;
  /** The Service has other ports or annotations than it had when the slices were told. */
  onService(service: Service | undefined): void;
  /** What came since the last time belongs together, and may be published. */
  onSettled(): void;
  /** Whether the Service, as it was read last, does not explain what the slices say. */
  readonly isPuzzled: boolean;
}

/**
 * The slices of a service and those who look at them. An exception in one view is no loss of the others: what it could not
 * take it is told again with the next list.
 */
export class FeedViews {
  readonly #views = new Set<FeedView>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** The slices that some view could not take, or take away. */
  readonly #owed = new Set<string>();
  /** The first exception of a view that was not thrown yet. */
  #failure: { readonly cause: unknown } | undefined;

  get isEmpty(): boolean {
    return this.#views.size === 0;
  }

  get isPuzzled(): boolean {
    for (const view of this.#views) if (view.isPuzzled) return true;
    return false;
  }

  get sliceCount(): number {
    return this.#slices.size;
  }

  /** The slices there are. */
  get slices(): readonly EndpointSlice[] {
    return [...this.#slices.values()];
  }

  /** Shows a view what is known, and from now on all that comes. */
  add(view: FeedView, service: Service | undefined): void {
    this.#views.add(view);
    this.#tell((one) => one.onService(service), [view]);
    for (const [name, slice] of this.#slices)
      if (!this.#tell((one) => one.onSlice(slice), [view])) this.#owed.add(name);
    this.#tell((one) => one.onSettled(), [view]);
  }

  delete(view: FeedView): void {
    this.#views.delete(view);
  }

  /** Tells of another Service. Who cannot take that is told of all slices again. */
  setService(service: Service | undefined): void {
    if (this.#tell((view) => view.onService(service))) return;
    for (const name of this.#slices.keys()) this.#owed.add(name);
  }

  settle(): void {
    this.#tell((view) => view.onSettled());
  }

  /** All slices there are. @throws what a view could not take, when all others have taken all */
  replace(items: readonly EndpointSlice[]): void {
    this.#failure = undefined; // what a view could not take before is told again
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of [...this.#slices.keys(), ...this.#owed]) if (!names.has(name)) this.#remove(name);
    for (const slice of items) this.#set(slice);
    this.#throwFailure();
  }

  /** A change of one slice. @throws as `replace` does */
  apply(type: "ADDED" | "MODIFIED" | "DELETED", slice: EndpointSlice): void {
    if (type === "DELETED") this.#remove(slice.metadata.name);
    else this.#set(slice);
    this.#throwFailure();
  }

  /** Forgets the slices, not the views. */
  clear(): void {
    this.#slices.clear();
    this.#owed.clear();
    this.#failure = undefined;
  }

  #set(slice: EndpointSlice): void {
    const { name, resourceVersion } = slice.metadata;
    const known = this.#slices.get(name)?.metadata.resourceVersion;
    if (known !== undefined && known === resourceVersion && !this.#owed.has(name)) return; // a list tells again what a watch has told
    this.#slices.set(name, slice);
    this.#owe(name, (view) => view.onSlice(slice));
  }

  #remove(name: string): void {
    if (!this.#slices.delete(name) && !this.#owed.has(name)) return;
    this.#owe(name, (view) => view.onSliceGone(name));
  }

  #owe(name: string, tell: (view: FeedView) => void): void {
    if (this.#tell(tell)) this.#owed.delete(name);
    else this.#owed.add(name);
  }

  /** Tells views; whether all could take it. */
  #tell(tell: (view: FeedView) => void, views: Iterable<FeedView> = [...this.#views]): boolean {
    let isTaken = true;
    for (const view of views) {
      try {
        tell(view);
      } catch (cause) {
        this.#failure ??= { cause };
        isTaken = false;
      }
    }
    return isTaken;
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.cause;
  }
}
