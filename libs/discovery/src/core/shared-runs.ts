/** A running value that is used, until `release`. */
export interface Lease<T> {
  readonly value: T;
  /** Settles when the run has ended: it rejects with what the run threw, if it did so by itself. */
  readonly ended: Promise<void>;
  /** Ends the use. Resolves at once unless it was the last one: then when the run has ended. May be called twice. */
  release(): Promise<void>;
}

interface Shared<T> {
  readonly value: T;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  users: number;
}

/**
 * One run for each key, however many use it: the first user starts it and the last one ends it. A user that comes while a
 * run is ending starts another, which knows nothing of what was true before.
 */
export class SharedRuns<T> {
  readonly #byKey = new Map<string, Shared<T>>();

  /**
   * @param create makes the value of a new run
   * @param run works until its signal is aborted; when its promise has settled, nothing is left of it
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
    ended.catch(() => {}); // its users learn it by `ended`
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

/** A number for an object, for keys: the same object has the same number, and no other one has it. */
export function identify(object: object): number {
  const number = numbers.get(object) ?? ++count;
  numbers.set(object, number);
  return number;
}
