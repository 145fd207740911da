/** One user's share in a run, until `release`. */
export interface Lease<T> {
  readonly value: T;
  /** Settles when the run has ended; rejects with the error that the run threw. */
  readonly ended: Promise<void>;
  /**
   * Ends this use. The last release ends the run, and resolves when it has ended; the others resolve at once. May be called
   * twice.
   */
  release(): Promise<void>;
}

interface Shared<T> {
  readonly value: T;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  users: number;
}

/**
 * One run per key, shared by all its users: the first user starts it and the last one ends it. A user that arrives while a run is
 * ending starts a new run, without the state of the old one.
 */
export class SharedRuns<T> {
  readonly #byKey = new Map<string, Shared<T>>();

  /**
   * @param create creates the value of a new run
   * @param run works until its signal is aborted; all its resources are released when its promise settles
   */
  acquire(key: string, create: () => T, run: (value: T, signal: AbortSignal) => Promise<void>): Lease<T> {
    const shared = this.#byKey.get(key) ?? this.#start(key, create(), run);
    shared.users += 1;
    let released: Promise<void> | undefined;
    return {
      value: shared.value,
      ended: shared.ended,
      release: () => (released ??= this.#release(key, shared)),
    };
  }

  #start(key: string, value: T, run: (value: T, signal: AbortSignal) => Promise<void>): Shared<T> {
    const controller = new AbortController();
    const ended = run(value, controller.signal).finally(() => this.#forget(key, shared));
    ended.catch(() => {}); // users see the failure in `Lease.ended`
    const shared: Shared<T> = { value, controller, ended, users: 0 };
    this.#byKey.set(key, shared);
    return shared;
  }

  #release(key: string, shared: Shared<T>): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return Promise.resolve();
    this.#forget(key, shared);
    shared.controller.abort();
    return shared.ended.catch(() => {}); // the failure no longer matters to this user
  }

  #forget(key: string, shared: Shared<T>): void {
    if (this.#byKey.get(key) === shared) this.#byKey.delete(key);
  }
}

const numbers = new WeakMap<object, number>();
let count = 0;

/** Returns a number that identifies an object, for use in keys. */
export function identify(object: object): number {
  const number = numbers.get(object) ?? ++count;
  numbers.set(object, number);
  return number;
}
