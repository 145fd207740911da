import type { Resource, SnapshotView } from "../cache/index.ts";
import type { ResourceChange } from "../cache/snapshot.ts";

/** A resource of which the client needs news. What is sent is what the snapshot has at that moment. */
export interface Pending {
  /** What the client has; undefined for nothing. */
  readonly previous: Resource | undefined;
  /** The client asks for it, and waits: the order of changes does not hold it back. */
  readonly isRequested: boolean;
}

/** A response that the client has not answered. */
export interface Outstanding {
  readonly nonce: string;
  /** Of what is new, changed or removed. */
  readonly names: readonly string[];
  /** Whether it has everything of its type that the client wants. */
  readonly isWhole: boolean;
}

/** The resources that have to wait, because others come first. */
export interface Hold {
  readonly upserts: boolean;
  readonly removals: boolean;
  /** Removals of what a client has from an earlier stream. */
  readonly resumed: boolean;
}

/** What one stream wants of one type, and what it has. A slow client has at most one entry for each name. */
export class Subscription {
  readonly typeUrl: string;
  /** All resources of the type. */
  isWildcard = false;
  /** A request has named resources: from then on, naming none means none. */
  hasNamed = false;
  readonly #names = new Set<string>();
  readonly #kept = { count: 0, characters: 0 };
  #had: ReadonlySet<string> | undefined;
  /** The names, of those that the client has asked for, without which a stale request was: it needs them if it asks for them again. */
  readonly forgotten = new Set<string>();
  readonly pending = new Map<string, Pending>();
  /** What the client needs and the cache does not know yet. */
  readonly awaited = new Map<string, Pending>();
  /** The client gets an answer even if there is nothing to tell. */
  mustAnswer = true;
  /** The versions that the client has from an earlier stream, until it has everything. */
  readonly resumed = new Map<string, string>();
  outstanding: Outstanding | undefined;
  /** The nonce of the last response; empty before the first one. */
  lastNonce = "";
  /** By name: what the client has rejected. */
  readonly rejected = new Map<string, { readonly version: string; readonly message: string }>();

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  /** What the client has asked for by name. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** What the client has from an earlier stream, as far as its first request names it; undefined for a client that is new. */
  get had(): ReadonlySet<string> | undefined {
    return this.#had;
  }

  /** How many names of its own the client has the server keep, and how many characters these have. */
  get kept(): { readonly count: number; readonly characters: number } {
    return this.#kept;
  }

  covers(name: string): boolean {
    return this.isWildcard || this.#names.has(name);
  }

  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#count(name, 1);
  }

  delete(name: string): void {
    if (this.#names.delete(name)) this.#count(name, -1);
  }

  /** Keeps what the client has from an earlier stream; to be called when its first request has added the names that it asks for. */
  keepHad(names: Iterable<string>): void {
    this.#had = new Set(names);
    for (const name of this.#had) if (!this.#names.has(name)) this.#count(name, 1);
  }

  /** The client needs a name; it is sent, also once more. */
  request(name: string): void {
    this.resumed.delete(name);
    this.pending.set(name, { previous: this.pending.get(name)?.previous, isRequested: true });
  }

  requestAll(snapshot: SnapshotView | undefined): void {
    for (const name of snapshot?.all(this.typeUrl).keys() ?? []) this.request(name);
  }

  /** Forgets everything that the client no longer wants. */
  dropUncovered(snapshot: SnapshotView | undefined): void {
    for (const names of [this.awaited, this.resumed, this.rejected, this.pending]) {
      for (const name of names.keys()) this.dropIfUncovered(name, snapshot);
    }
  }

  /**
   * Forgets a name if the client no longer wants it. Under a wildcard only names that the snapshot or the client has remain: what a client
   * makes up takes no memory.
   */
  dropIfUncovered(name: string, snapshot: SnapshotView | undefined): void {
    if (this.#names.has(name)) return;
    if (!this.isWildcard) for (const names of [this.awaited, this.resumed, this.rejected]) names.delete(name);
    const isThere =
      this.isWildcard &&
      (this.pending.get(name)?.previous !== undefined ||
        this.resumed.has(name) ||
        snapshot?.get(this.typeUrl, name) !== undefined);
    if (!isThere) this.pending.delete(name);
  }

  /** The cache does not know yet what the name has: there is nothing to send until it does. */
  await(name: string): void {
    const pending = this.pending.get(name);
    if (pending) this.awaited.set(name, pending);
    this.pending.delete(name);
  }

  /** The names that the cache knows by now are to be sent. */
  resume(snapshot: SnapshotView): void {
    for (const [name, pending] of this.awaited) {
      if (snapshot.isPending(this.typeUrl, name)) continue;
      this.awaited.delete(name);
      if (!this.pending.has(name)) this.pending.set(name, pending);
    }
  }

  onChange({ name, previous, current }: ResourceChange): void {
    if (!this.covers(name)) return;
    const before = this.pending.get(name);
    const isUndone = before?.isRequested === false && before.previous?.version === current?.version;
    if (isUndone && !this.resumed.has(name)) this.pending.delete(name);
    else if (!before) this.pending.set(name, { previous, isRequested: false });
  }

  /** Takes the answer to the last response. @returns that response; undefined when it is not the answer to it */
  answer(nonce: string): Outstanding | undefined {
    if (nonce === "" || this.outstanding?.nonce !== nonce) return undefined;
    const answered = this.outstanding;
    this.outstanding = undefined;
    return answered;
  }

  #count({ length }: string, by: 1 | -1): void {
    this.#kept.count += by;
    this.#kept.characters += by * length;
  }
}
