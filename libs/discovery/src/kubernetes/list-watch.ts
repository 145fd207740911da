import { type Clock, messageOf } from "@grpc-lb/core";
import type { HttpAnswer } from "@grpc-lb/core/http";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiClient } from "./api-client.ts";
import { describeStatus } from "./error.ts";
import { type ApiObject, readList, readWatchEvent } from "./reader.ts";

/** A change of one object. */
export interface Change<T extends ApiObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
}

/** Receives the results of a ListWatch; never concurrently, and never after the attempt has returned. */
export interface ListWatchReceiver<T extends ApiObject> {
  /** Replaces all objects. */
  onList(items: readonly T[]): void;
  /** Applies changes that arrived together; none when the server has only confirmed what is known. */
  onChanges(changes: readonly Change<T>[]): void;
  /** A watch begins. */
  onWatch(): void;
  /**
   * Whether a list is so much shorter than what is known that a second one must confirm it.
   *
   * @param before the list before this one, if that one needed it: this one confirms it unless it is shorter still
   */
  needsConfirmation?(items: readonly T[], before?: readonly T[]): boolean;
}

/** What to list and watch. */
export interface ListWatchOptions<T extends ApiObject> {
  readonly api: ApiClient;
  /** `/apis/…/namespaces/…/endpointslices`. */
  readonly path: string;
  /** The selector as it stands in a query, such as `labelSelector=…`. */
  readonly selector: string;
  /** The kind of the list, such as `EndpointSliceList`. */
  readonly listKind: string;
  /** Reads an object; never throws. */
  readonly read: (object: unknown) => T;
  /** For messages: `endpointslices default/server`. */
  readonly subject: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** A watch without an event or bookmark for this long is given up; bookmarks come about once a minute. */
  readonly idleDeadlineMs: number;
  /** How long a list may pause, and take with all its pages, in milliseconds. Default: 15 s and 60 s. */
  readonly listTimeouts?: { readonly silenceMs: number; readonly totalMs: number };
}

/** The limits of one list; 100 pages hold 50 000 slices. */
const pageSize = 500;
const maxPages = 100;
const defaultListTimeouts = { silenceMs: 15_000, totalMs: 60_000 };
/** A list from time to time makes up for an event that was lost. The random ends of watches spread the lists of clients. */
const relistAfterMs = 30 * 60_000;
/** A sharply shorter list is requested again after a second; the fifth list is accepted in any case. */
const confirmation = { afterMs: 1_000, times: 4 };
/** A resumed watch is silent while nothing changes: a watch that lasts this long shows that the server is well. */
const steadyMs = 1_000;
/** Like client-go, but shorter: a watch lives 4 to 8 minutes, so that watches spread over the API servers again. */
const watchSeconds = { least: 240, spread: 240 };
/** A watch that lasts longer than requested by this much is ended here: not every proxy and server keeps to the time. */
const overdueMs = 60_000;

/**
 * Keeps a set of objects as the API server has it: lists them, watches from the list's version, and goes on from the last
 * version seen after whatever ends a watch. Lists again when that version is gone (410) and about every half hour. It has one
 * request in flight. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class ListWatch<T extends ApiObject> {
  readonly #options: ListWatchOptions<T>;
  readonly #receiver: ListWatchReceiver<T>;
  /** The version to watch from; undefined: list first. */
  #version: string | undefined;
  #hasListed = false;
  #listedMs = 0;
  /** Whether the version was gone since the last good list: once is expected, twice is a failure. */
  #wasGone = false;

  constructor(options: ListWatchOptions<T>, receiver: ListWatchReceiver<T>) {
    this.#options = options;
    this.#receiver = receiver;
  }

  /**
   * One attempt, for `runWithRestarts`: lists if it has to, and watches until the watch ends.
   *
   * @throws DiscoveryError; the next attempt goes on from where this one was, or lists
   */
  async attempt(onHealthy: () => void, signal: AbortSignal): Promise<void> {
    try {
      if (this.#options.clock.now() - this.#listedMs >= relistAfterMs) this.#version = undefined;
      if (this.#version === undefined) await this.#list(signal);
      if (!signal.aborted) await this.#watch(onHealthy, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const error = this.#asDiscoveryError(cause);
      if (isVersionGone(error)) this.#version = undefined;
      if (error.status !== 410 || this.#wasGone) throw error;
      this.#wasGone = true;
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const receiver = this.#receiver;
    // The first may come from the API server's cache, which spares etcd; the watch that follows makes up for its age.
    let list = await this.#getList(this.#hasListed ? "" : "&resourceVersion=0", signal);
    let before: readonly T[] | undefined;
    for (let n = 0; n < confirmation.times && this.#hasListed; n++) {
      if (!receiver.needsConfirmation?.(list.items, before)) break;
      await clock.sleep(confirmation.afterMs, signal, { background: true });
      before = list.items;
      list = await this.#getList("", signal);
    }
    if (signal.aborted) return;
    this.#hasListed = true;
    this.#wasGone = false;
    receiver.onList(list.items);
    this.#version = list.version;
    this.#listedMs = clock.now();
  }

  async #getList(version: string, signal: AbortSignal): Promise<{ items: readonly T[]; version: string | undefined }> {
    const { api, path, selector, listKind, read, subject, clock, listTimeouts = defaultListTimeouts } = this.#options;
    const what = `list ${subject}`;
    const { silenceMs } = listTimeouts;
    const untilMs = clock.now() + listTimeouts.totalMs;
    const items: T[] = [];
    let query = version; // a continue token brings its version; both together are refused
    for (let page = 1; ; page++) {
      const request = { path: `${path}?${selector}&limit=${pageSize}${query}`, what, signal, silenceMs };
      const totalMs = Math.max(untilMs - clock.now(), 1);
      const list = await api.get({ ...request, totalMs }, (answer) => readList(answer, listKind, read));
      for (const item of list.items) items.push(item);
      if (list.continue === undefined) return { items, version: list.resourceVersion };
      if (page === maxPages)
        throw new DiscoveryError("unavailable", `kubernetes: ${what}: more than ${maxPages} pages`);
      query = `&continue=${encodeURIComponent(list.continue)}`;
    }
  }

  async #watch(onHealthy: () => void, signal: AbortSignal): Promise<void> {
    const { api, path, selector, subject, clock, random, idleDeadlineMs } = this.#options;
    const seconds = watchSeconds.least + Math.floor(random() * watchSeconds.spread);
    const totalMs = seconds * 1_000 + overdueMs;
    const endMs = clock.now() + totalMs;
    const query =
      `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}` +
      `&${selector}&resourceVersion=${this.#version ?? ""}`;
    const request = { path: `${path}?${query}`, what: `watch ${subject}`, signal, silenceMs: idleDeadlineMs, totalMs };
    const ended = new AbortController();
    this.#receiver.onWatch();
    try {
      await api.stream(request, async (answer) => {
        onHealthy();
        void this.#confirmWhenSteady(ended.signal, signal);
        for await (const lines of answer.lines()) {
          if (signal.aborted) return;
          this.#takeLines(lines, answer);
        }
        // A cut-off event comes again with the next watch. Anything else was not sent by an API server.
        if (answer.rest.trim() !== "" && !isCutOff(answer.rest)) this.#takeLines([answer.rest], answer);
      });
    } catch (cause) {
      if (clock.now() < endMs) throw cause; // an overdue watch is an end like any other
    } finally {
      ended.abort();
    }
  }

  /** An accepted watch does not prove that the server is well: a server in trouble accepts it and sends an ERROR event. */
  async #confirmWhenSteady(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(steadyMs, ended, { background: true });
    if (!ended.aborted && !signal.aborted) this.#receiver.onChanges([]);
  }

  /** Delivers the events that arrived together in one call: a receiver need not see every state of a burst. */
  #takeLines(lines: readonly string[], answer: HttpAnswer): void {
    const changes: Change<T>[] = [];
    let version: string | undefined;
    let failure: { readonly cause: unknown } | undefined;
    try {
      for (const line of lines) {
        const event = readWatchEvent(line, this.#options.read);
        if (event.type === "ERROR") throw describeStatus(event.status, `watch ${this.#options.subject}`);
        if (event.type !== "BOOKMARK") changes.push(event);
        version = (event.type === "BOOKMARK" ? event.resourceVersion : event.object.resourceVersion) ?? version;
      }
    } catch (cause) {
      failure = { cause };
    }
    if (changes.length > 0 || version !== undefined) {
      answer.heard(); // progress is a whole event, not a byte
      const before = this.#version;
      this.#version = undefined; // if the receiver throws, a list must repeat the changes
      try {
        this.#receiver.onChanges(changes);
      } catch (cause) {
        throw this.#asDiscoveryError(cause);
      }
      this.#version = version ?? before;
    }
    if (failure) throw failure.cause;
  }

  #asDiscoveryError(cause: unknown): DiscoveryError {
    if (cause instanceof DiscoveryError) return cause;
    return new DiscoveryError("unavailable", `kubernetes: watch ${this.#options.subject}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * The server can no longer go on from the version: it is compacted (410), not understood (400), or newer than all the server
 * knows, as after a restore of etcd (504 "Too large resource version").
 */
function isVersionGone({ status, message }: DiscoveryError): boolean {
  return status === 410 || status === 400 || (status === 504 && /resource version/i.test(message));
}

function isCutOff(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch {
    return text.startsWith("{");
  }
}
