import type { PageConnections } from "../page/protocol.ts";

interface Connection {
  readonly peer: string;
  calls: number;
  /** The pods that answered its last calls. */
  readonly pods: string[];
  isGoingAway: boolean;
}

/** A proxy answers for many pods on one connection. */
const keptPods = 8;
const maxOpen = 1_000;
/** As many as are shown one by one. */
const maxShown = 60;

/** The connections of one client that carry calls. */
export class ConnectionBook {
  readonly #open = new Map<number, Connection>();
  #opened = 0;
  #isOnePerCall = false;

  /** Whether the last connection that was closed had carried one call, and none since has carried two. */
  get isOnePerCall(): boolean {
    return this.#isOnePerCall;
  }

  /** A client numbers its connections from 1, so another number 1 comes from a new process, and the old ones are gone with theirs. */
  open(number: number, peer: string): void {
    if (number === 1) this.#open.clear();
    this.#opened += 1;
    const [oldest] = this.#open.keys();
    if (this.#open.size >= maxOpen && oldest !== undefined) this.#open.delete(oldest);
    this.#open.set(number, { peer, calls: 0, pods: [], isGoingAway: false });
  }

  /** Counts a call that ended; `pod` is null when it failed. */
  carry(number: number, pod: string | null): void {
    const connection = this.#open.get(number);
    if (!connection) return;
    connection.calls += 1;
    if (connection.calls > 1) this.#isOnePerCall = false;
    if (pod === null) return;
    connection.pods.push(pod);
    if (connection.pods.length > keptPods) connection.pods.shift();
  }

  goAway(number: number): void {
    const connection = this.#open.get(number);
    if (connection) connection.isGoingAway = true;
  }

  /** @returns what the connection was; undefined when it was not open */
  close(number: number): { readonly peer: string; readonly calls: number; readonly wasGoingAway: boolean } | undefined {
    const connection = this.#open.get(number);
    if (!connection) return undefined;
    this.#open.delete(number);
    const { peer, calls, isGoingAway: wasGoingAway } = connection;
    // Its only call may be reported after its end.
    if (calls <= 1 && !wasGoingAway && this.#open.size <= 1) this.#isOnePerCall = true;
    return { peer, calls, wasGoingAway };
  }

  /** @param letterOf the letter of a pod on the page */
  snapshot(letterOf: (pod: string) => string): PageConnections {
    return {
      openCount: this.#open.size,
      open: [...this.#open].slice(0, maxShown).map(([number, { peer, calls, pods, isGoingAway }]) => {
        const letters = [...new Set(pods)].map(letterOf).sort();
        return { number, peer, calls, pods: letters, isGoingAway };
      }),
      opened: this.#opened,
      isOnePerCall: this.#isOnePerCall,
    };
  }
}
