/**
 * The connections of a server, at most `max` of them. When one more arrives, the one that is missed least is removed: the oldest
 * that never made a request, else the one whose last request is longest ago. So a peer that opens connections and sends
 * nothing takes no place from clients that make calls.
 */
export class ConnectionTable<C extends object> {
  readonly #max: number;
  readonly #remove: (connection: C) => void;
  /** In the order of arrival. */
  readonly #unused = new Set<C>();
  /** In the order of their last request. */
  readonly #used = new Set<C>();

  /** @param remove destroys a connection; the table has forgotten it before */
  constructor(max: number, remove: (connection: C) => void) {
    this.#max = max;
    this.#remove = remove;
  }

  get size(): number {
    return this.#unused.size + this.#used.size;
  }

  /** A connection has arrived. */
  add(connection: C): void {
    if (this.size >= this.#max) {
      const [removed] = this.#unused.size > 0 ? this.#unused : this.#used;
      if (removed) {
        this.delete(removed);
        this.#remove(removed);
      }
    }
    this.#unused.add(connection);
  }

  /** A connection has made a request. No effect on one that was removed. */
  use(connection: C): void {
    if (this.#unused.delete(connection) || this.#used.delete(connection)) this.#used.add(connection);
  }

  /** A connection has ended. */
  delete(connection: C): void {
    this.#unused.delete(connection);
    this.#used.delete(connection);
  }
}
