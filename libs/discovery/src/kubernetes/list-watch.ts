import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiClient } from "./api.ts";
import { describeStatus, type Status } from "./api-error.ts";
import { splitLines } from "./split-lines.ts";

/** An object of the API, as far as listing and watching it is concerned. */
export interface Listed {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
}

/**
 * Who is told of what a list-and-watch sees. Called in order, never at the same time, and not after `run` has ended. What it
 * cannot take it throws from `replace` or `apply`: then all is listed again, after a wait. The others must not throw.
 */
export interface ListWatchHandler<T extends Listed> {
  /**
   * What else is to be read may be read now, beside this: the server is known to answer. Told before a list is taken over and
   * between two watches, and not while the server fails.
   */
  refresh(): void;
  /**
   * Whether a list is so much shorter than what is known that it must be seen twice to be believed.
   *
   * @param before the list before this one, if that was suspicious: this one confirms it unless it is shorter still
   */
  isSuspicious(items: readonly T[], before?: readonly T[]): boolean;
  /** All there is now. */
  replace(items: readonly T[]): void;
  apply(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void;
  /** The server was heard: what is known is as it says. */
  onHeard(): void;
  /** Something failed; the loop goes on by itself. */
  onFailure(error: DiscoveryError): void;
  /** A watch begins; the first one too. */
  onWatch(): void;
}

/** What to list and watch. */
export interface ListWatchOptions {
  readonly api: ApiClient;
  /** `/apis/…/namespaces/…/endpointslices`. */
  readonly path: string;
  readonly labelSelector: string;
  /** For messages: `endpointslices default/server`. */
  readonly subject: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A watch that says nothing for this long is given up; bookmarks come about once a minute. */
  readonly idleDeadlineMs: number;
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

/** After a long outage a client must be up to date within seconds, so the bound is low; full jitter spreads the herd. */
const backoffBounds = { baseMs: 200, maxMs: 4_000 };
/** Who is denied stays so until a person acts: a thousand clients without a Role must not become a load. */
const deniedBackoffBounds = { baseMs: 1_000, maxMs: 30_000 };
/** However good the watches look, a list from time to time makes up for an event that was lost; the ends of watches spread it. */
const relistAfterMs = 30 * 60_000;
/** A list that shrinks is asked for again after a second; one that shrinks each time is believed in the end. */
const confirm = { afterMs: 1_000, times: 4 };
/** A watch that was accepted and lasts this long is a good one: what went before is forgotten. */
const steadyMs = 1_000;
/** Like client-go, but shorter: a watch lives 4 to 8 minutes, so that watches spread anew over API servers. */
const watchSeconds = { least: 240, spread: 240 };
/** A watch that lasts so much longer than was asked for is ended here: not every proxy and server keeps to the time. */
const overdueMs = 60_000;

/**
 * The loop that keeps a set of objects as the API server has it: list, watch from the list's version, and after whatever ends
 * a watch go on from the last version seen; list anew when that version is gone (410), and about every half hour. One request at a time of its own.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class ListWatch<T extends Listed> {
  readonly #options: ListWatchOptions;
  readonly #handler: ListWatchHandler<T>;
  #version: string | undefined;
  #hasListed = false;
  #listedMs = 0;
  /** Whether a version was gone since the last good list. */
  #wasGone = false;
  /** Whether the present turn's watch was accepted. */
  #isAccepted = false;

  constructor(options: ListWatchOptions, handler: ListWatchHandler<T>) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const backoff = createBackoff({ ...backoffBounds, random });
    const deniedBackoff = createBackoff({ ...deniedBackoffBounds, random });
    let wasBrief = false;
    let failure: DiscoveryError | undefined;
    while (!signal.aborted) {
      const beganMs = clock.now();
      this.#isAccepted = false;
      try {
        await this.#turn(failure === undefined, signal);
        failure = undefined;
      } catch (cause) {
        if (signal.aborted) return;
        failure = this.#asDiscoveryError(cause);
        // What the handler could not take is told again by a list, from the version on it would be lost.
        if (isVersionGone(failure) || !(cause instanceof DiscoveryError)) this.#version = undefined;
        if (failure.status === 410 && !this.#wasGone) {
          this.#wasGone = true;
          failure = undefined; // foreseen, and cured by a list; when that does not come, it is told
        } else this.#handler.onFailure(failure);
      }
      if (signal.aborted) return;
      const isSteady = this.#isAccepted && clock.now() - beganMs >= steadyMs;
      if (isSteady) {
        backoff.reset();
        deniedBackoff.reset();
      }
      // The server may end a watch whenever it likes, and the next begins at once; but not for ever at once.
      if (failure || (wasBrief && !isSteady)) {
        const { next } = failure?.code === "permissionDenied" ? deniedBackoff : backoff;
        await clock.sleep(next() + (failure?.retryAfterMs ?? 0), signal, { background: true });
      }
      wasBrief = !isSteady;
    }
  }

  async #turn(isAnswering: boolean, signal: AbortSignal): Promise<void> {
    if (this.#options.clock.now() - this.#listedMs >= relistAfterMs) this.#version = undefined;
    if (this.#version === undefined) await this.#list(signal);
    else if (isAnswering) this.#handler.refresh();
    if (signal.aborted) return;
    this.#handler.onWatch();
    await this.#watch(signal);
  }

  async #list(signal: AbortSignal): Promise<void> {
    // The first may come from the API server's cache, which spares etcd; the watch that follows makes up for its age.
    let list = await this.#getList(this.#hasListed ? "" : "&resourceVersion=0", signal);
    let before: readonly T[] | undefined;
    for (let n = 0; n < confirm.times && this.#hasListed && this.#handler.isSuspicious(list.items, before); n++) {
      await this.#options.clock.sleep(confirm.afterMs, signal, { background: true });
      before = list.items;
      list = await this.#getList("", signal);
    }
    if (signal.aborted) return;
    this.#hasListed = true;
    this.#wasGone = false;
    this.#handler.refresh();
    this.#handler.replace(list.items);
    this.#version = list.version;
    this.#listedMs = this.#options.clock.now();
    this.#handler.onHeard();
  }

  async #getList(version: string, signal: AbortSignal): Promise<{ items: readonly T[]; version: string | undefined }> {
    const { api, path, labelSelector, subject } = this.#options;
    const what = `list ${subject}`;
    const items: T[] = [];
    let page = version; // a continue token brings its version; both together are refused
    for (;;) {
      const query = `labelSelector=${encodeURIComponent(labelSelector)}&limit=500${page}`;
      type List = { items?: T[] | null; metadata?: { resourceVersion?: string; continue?: string } };
      const list = await api.get<List>({ path: `${path}?${query}`, what, signal });
      items.push(...(list.items ?? []));
      if (!list.metadata?.continue) return { items, version: list.metadata?.resourceVersion };
      page = `&continue=${encodeURIComponent(list.metadata.continue)}`;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, path, labelSelector, subject, clock, random, idleDeadlineMs } = this.#options;
    const seconds = watchSeconds.least + Math.floor(random() * watchSeconds.spread);
    const overMs = clock.now() + seconds * 1_000 + overdueMs;
    const query =
      `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}` +
      `&labelSelector=${encodeURIComponent(labelSelector)}&resourceVersion=${this.#version ?? ""}`;
    const request = { path: `${path}?${query}`, what: `watch ${subject}`, signal, silenceMs: idleDeadlineMs };
    const ended = new AbortController();
    try {
      await api.stream(request, async (chunks) => {
        this.#isAccepted = true;
        void this.#settle(ended.signal, signal);
        for await (const lines of splitLines(chunks)) {
          if (signal.aborted) return;
          this.#take(lines);
          if (clock.now() >= overMs) return;
        }
      });
    } finally {
      ended.abort();
    }
  }

  /**
   * A watch that goes on from a version is silent when there is no news, so that it lasts is all that tells the end of an
   * outage. Its acceptance alone is not enough: a server in trouble accepts, and says so by an ERROR event.
   */
  async #settle(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(steadyMs, ended, { background: true });
    if (!ended.aborted && !signal.aborted) this.#handler.onHeard();
  }

  /** Takes the events that came together, and only then says so: of a burst, nobody needs to see every state. */
  #take(lines: readonly string[]): void {
    let isNews = false;
    try {
      for (const line of lines) {
        const { type, object } = JSON.parse(line) as WatchEvent<T>;
        if (type === "ERROR") throw describeStatus(object as Status, `watch ${this.#options.subject}`);
        if (type !== "BOOKMARK") this.#apply(type, object);
        this.#version = object.metadata.resourceVersion ?? this.#version;
        isNews = true;
      }
    } finally {
      if (isNews) this.#handler.onHeard();
    }
  }

  /** The version of an event counts as seen when the handler has taken it, and what it could not take calls for a list. */
  #apply(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    try {
      this.#handler.apply(type, object);
    } catch (cause) {
      this.#version = undefined;
      throw this.#asDiscoveryError(cause);
    }
  }

  #asDiscoveryError(cause: unknown): DiscoveryError {
    if (cause instanceof DiscoveryError) return cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new DiscoveryError("unavailable", `kubernetes: watch ${this.#options.subject}: ${reason}`, { cause });
  }
}

/**
 * The server can go on no more from the version: it is compacted (410), not understood (400), or newer than all the server
 * knows, as after a restore of etcd (504 "Too large resource version").
 */
function isVersionGone({ status, message }: DiscoveryError): boolean {
  return status === 410 || status === 400 || (status === 504 && /resource version/i.test(message));
}
