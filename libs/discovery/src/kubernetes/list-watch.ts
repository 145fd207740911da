import { type Clock, messageOf } from "@grpc-lb/core";
import type { HttpAnswer } from "@grpc-lb/core/http";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiClient } from "./api-client.ts";
import { describeStatus } from "./error.ts";
import { type ApiObject, parseAnswer, readList, readWatchEvent } from "./reader.ts";

/** A change of one object. */
export interface Change<T extends ApiObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
}

/** Receives the results of a ListWatch; never concurrently, and never after the attempt has returned. */
export interface ListWatchReceiver<T extends ApiObject> {
  /** Replaces all objects. */
  onList(items: readonly T[]): void;
  /** Applies changes that arrived together; none mean that the server has confirmed the known state. */
  onChanges(changes: readonly Change<T>[]): void;
  /** A watch begins. */
  onWatch(): void;
  /**
   * Whether a list is so much shorter than the known objects that another list must confirm it.
   *
   * @param before the previous list, if it needed confirmation; this list confirms it unless it is even shorter
   */
  needsConfirmation?(items: readonly T[], before?: readonly T[]): boolean;
}

/** What to list and watch. */
export interface ListWatchOptions<T extends ApiObject> {
  readonly api: ApiClient;
  /** `/apis/…/namespaces/…/endpointslices`. */
  readonly path: string;
  /** The selector, encoded for a query: `labelSelector=…`. */
  readonly selector: string;
  /** The kind of the list, such as `EndpointSliceList`. */
  readonly listKind: string;
  /** Reads an object; never throws. */
  readonly read: (object: unknown) => T;
  /** For messages: `endpointslices default/server`. */
  readonly subject: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long a watch may be without an event or bookmark, in milliseconds; bookmarks come about once a minute. */
  readonly idleDeadlineMs: number;
  /** How long a list may be silent, and how long all its pages may take, in milliseconds. Default: 15 s and 60 s. */
  readonly listTimeouts?: { readonly silenceMs: number; readonly totalMs: number };
}

const pageSize = 500;
/** The limits of one list over all its pages. The characters suffice for 100 000 endpoints. */
const maxPages = 100;
const maxItems = 10_000;
const maxCharacters = 32 * 1024 * 1024;
const defaultListTimeouts = { silenceMs: 15_000, totalMs: 60_000 };
/** A periodic list makes up for a lost event. Watches end at random times, which spreads the lists of many clients. */
const relistAfterMs = 30 * 60_000;
/** A list that needs confirmation is requested again after a second; the fifth list is accepted in any case. */
const confirmation = { afterMs: 1_000, times: 4 };
/** A resumed watch is silent while nothing changes, so after a failure a watch that lasts this long shows a healthy server. */
const steadyMs = 1_000;
/** How often a list makes up for watches that bring bytes, and neither events nor bookmarks. */
const relistBrokenWatchMs = 5 * 60_000;
/** A watch lasts 4 to 8 minutes, so that watches spread over the API servers again (client-go: 5 to 10 minutes). */
const watchSeconds = { least: 240, spread: 240 };
/** The client ends a watch that exceeds its `timeoutSeconds` by this much: some proxies and servers do not obey it. */
const overdueMs = 60_000;

/**
 * Mirrors a set of objects of the API server: lists them, and watches from the list's version. When a watch ends for any reason,
 * the next one resumes from the last version seen. Lists again when that version is gone (410), and about every half hour. At most
 * one request is in flight. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class ListWatch<T extends ApiObject> {
  readonly #options: ListWatchOptions<T>;
  readonly #receiver: ListWatchReceiver<T>;
  /** The version to watch from; undefined: list first. */
  #version: string | undefined;
  #hasListed = false;
  #listedMs = 0;
  /** Whether the version was gone (410) since the last good list. The first 410 is expected, another one is a failure. */
  #wasGone = false;
  /**
   * How the last watch failed, until a list, an event or a bookmark shows that this is over. `failed`: by an error; a steady watch
   * also shows it. `silent`: nothing came for too long; a steady watch is followed by a list, which shows it. `broken`: bytes came, and
   * no event; that a watch is steady shows nothing.
   */
  #doubt: "none" | "failed" | "silent" | "broken" = "none";

  constructor(options: ListWatchOptions<T>, receiver: ListWatchReceiver<T>) {
    this.#options = options;
    this.#receiver = receiver;
  }

  /**
   * One attempt for `runWithRestarts`: lists if necessary, then watches until the watch ends.
   *
   * @throws DiscoveryError; the next attempt resumes from the last version, or lists
   */
  async attempt(onHealthy: () => void, signal: AbortSignal): Promise<void> {
    try {
      const relistMs = this.#doubt === "broken" ? relistBrokenWatchMs : relistAfterMs;
      if (this.#options.clock.now() - this.#listedMs >= relistMs) this.#version = undefined;
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
    // The API server may answer the first list from its cache, which spares etcd. The watch then delivers what the cache lacks.
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
    this.#doubt = "none";
    this.#version = list.version;
    this.#listedMs = clock.now();
  }

  async #getList(version: string, signal: AbortSignal): Promise<{ items: readonly T[]; version: string | undefined }> {
    const { api, path, selector, listKind, read, subject, clock, listTimeouts = defaultListTimeouts } = this.#options;
    const what = `list ${subject}`;
    const { silenceMs } = listTimeouts;
    const untilMs = clock.now() + listTimeouts.totalMs;
    const items: T[] = [];
    let left = maxCharacters;
    let query = version; // a continue token contains the version; the server rejects a request with both
    for (let page = 1; ; page++) {
      const request = { path: `${path}?${selector}&limit=${pageSize}${query}`, what, signal, silenceMs };
      const totalMs = Math.max(untilMs - clock.now(), 1);
      const list = await api.stream({ ...request, totalMs }, async (answer) => {
        const text = await answer.text(left);
        left -= text.length;
        return readList(parseAnswer(text), listKind, read);
      });
      for (const item of list.items) items.push(item);
      if (items.length > maxItems)
        throw new DiscoveryError("unavailable", `kubernetes: ${what}: more than ${maxItems} objects`);
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
    const ended = new AbortController();
    const end = () => ended.abort();
    signal.addEventListener("abort", end, { once: true });
    const what = `watch ${subject}`;
    const request = { path: `${path}?${query}`, what, signal: ended.signal, silenceMs: idleDeadlineMs, totalMs };
    const progress: Progress = { ms: clock.now(), characters: 0 };
    let watched: HttpAnswer | undefined;
    this.#receiver.onWatch();
    try {
      await api.stream(request, async (answer) => {
        onHealthy();
        watched = answer;
        void this.#confirmWhenSteady(ended, signal);
        for await (const lines of answer.lines()) {
          if (signal.aborted) return;
          this.#takeLines(lines, answer, progress);
        }
        // The next watch repeats an event that was cut off. Any other text is read as a line; if it is not an event, it is an error.
        if (answer.rest.trim() !== "" && !isCutOff(answer.rest)) this.#takeLines([answer.rest], answer, progress);
      });
    } catch (cause) {
      // A watch that the client ends, because it is overdue or for a list, has not failed.
      if (clock.now() >= endMs || (ended.signal.aborted && !signal.aborted)) return;
      if ((watched?.received ?? 0) > progress.characters) this.#doubt = "broken";
      else if (this.#doubt !== "broken" && clock.now() - progress.ms >= idleDeadlineMs) this.#doubt = "silent";
      else if (this.#doubt === "none") this.#doubt = "failed";
      throw cause;
    } finally {
      signal.removeEventListener("abort", end);
      ended.abort();
    }
  }

  /** An accepted watch does not prove that the server is healthy: a failing server accepts it and then sends an ERROR event. */
  async #confirmWhenSteady(ended: AbortController, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(steadyMs, ended.signal, { background: true });
    if (ended.signal.aborted || signal.aborted) return;
    if (this.#doubt === "failed") {
      this.#doubt = "none";
      this.#receiver.onChanges([]);
    } else if (this.#doubt === "silent") {
      this.#version = undefined; // the next attempt lists
      ended.abort();
    }
  }

  /** Delivers events that arrived together in one call: a receiver need not see every state of a burst. */
  #takeLines(lines: readonly string[], answer: HttpAnswer, progress: Progress): void {
    const changes: Change<T>[] = [];
    let version: string | undefined;
    let failure: { readonly cause: unknown } | undefined;
    let isUnexplained = false;
    try {
      for (const line of lines) {
        const event = readWatchEvent(line, this.#options.read);
        if (event.type === "ERROR") {
          progress.characters = answer.received; // whole, though no sync
          isUnexplained = event.status.code === undefined;
          throw describeStatus(event.status, `watch ${this.#options.subject}`);
        }
        if (event.type !== "BOOKMARK") changes.push(event);
        version = (event.type === "BOOKMARK" ? event.resourceVersion : event.object.resourceVersion) ?? version;
      }
    } catch (cause) {
      failure = { cause };
    }
    if (changes.length > 0 || version !== undefined) {
      answer.heard(); // only a whole event counts as progress
      progress.ms = this.#options.clock.now();
      progress.characters = answer.received;
      this.#doubt = "none";
      const before = this.#version;
      this.#version = undefined; // if the receiver throws, the next attempt lists, which repeats the changes
      try {
        this.#receiver.onChanges(changes);
      } catch (cause) {
        throw this.#asDiscoveryError(cause);
      }
      this.#version = version ?? before;
    }
    if (isUnexplained) this.#version = undefined; // which may be the reason
    if (failure) throw failure.cause;
  }

  #asDiscoveryError(cause: unknown): DiscoveryError {
    if (cause instanceof DiscoveryError) return cause;
    return new DiscoveryError("unavailable", `kubernetes: watch ${this.#options.subject}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** When the last whole event of a watch came, or the watch began, and how many characters had come by then. */
interface Progress {
  ms: number;
  characters: number;
}

/**
 * Whether the server cannot resume from the version: it is compacted (410), invalid (400), or newer than the server's own, as after
 * a restore of etcd (504 "Too large resource version").
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
