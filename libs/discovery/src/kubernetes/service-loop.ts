import { once } from "node:events";
import type { Clock } from "@grpc-lb/core";
import type { ApiClient } from "./api.ts";
import type { ServiceReader } from "./service-reader.ts";

/** For whom the Service is read. */
export interface ServiceLoopHost {
  /** Whether the Service, as it was read last, does not explain what else is seen. */
  readonly isUnsure: boolean;
  /** Whether the server was well when it was last heard: one that fails is not asked for the Service, too. */
  readonly isAnswering: boolean;
  /** It was read. @param isNews whether it has other ports or annotations now */
  onRead(isNews: boolean): void;
  /** The first reading takes too long to be waited for by those who can do without it. */
  onLate(): void;
}

/** The first endpoints come with the Service's config, but only a Service that is read in no time can delay them. */
const lateAfterMs = 200;
const unsureEveryMs = 30_000;

/**
 * Reads the Service beside the watch of its slices, so that one which hangs delays no endpoint: when it is asked to, when
 * something was seen that calls for it, and every half a minute as long as that lasts. One reading at a time.
 */
export class ServiceLoop {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #reader: ServiceReader;
  readonly #host: ServiceLoopHost;
  #isAsked = false;
  #wasUnsure = false;
  /** The wait between two readings; undefined during one. */
  #nap: AbortController | undefined;

  constructor(
    options: { readonly api: ApiClient; readonly clock: Clock; readonly reader: ServiceReader },
    host: ServiceLoopHost,
  ) {
    this.#api = options.api;
    this.#clock = options.clock;
    this.#reader = options.reader;
    this.#host = host;
  }

  /** Has the Service read at once, or as soon as the reading under way has ended. */
  ask(): void {
    this.#isAsked = true;
    this.#nap?.abort();
  }

  /** Something was seen: has the Service read if that is doubtful or a riddle now. The reading under way may answer it. */
  look(): void {
    if (this.#nap && (this.#reader.isDoubted || (this.#host.isUnsure && !this.#wasUnsure))) this.ask();
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left, and after the abort the host is told nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const end = () => this.#nap?.abort();
    signal.addEventListener("abort", end);
    try {
      while (!signal.aborted) {
        if (this.#reader.isDoubted) this.#isAsked = true; // what was seen during the last reading
        if (!this.#isAsked) await this.#rest();
        else await this.#read(signal);
      }
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  async #rest(): Promise<void> {
    const nap = new AbortController();
    this.#nap = nap;
    this.#wasUnsure = this.#host.isUnsure;
    if (!this.#wasUnsure) await once(nap.signal, "abort");
    else {
      await this.#clock.sleep(unsureEveryMs, nap.signal, { background: true });
      if (!nap.signal.aborted && this.#host.isUnsure && this.#host.isAnswering) this.#isAsked = true;
    }
    this.#nap = undefined;
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#isAsked = false;
    const ended = new AbortController();
    if (this.#reader.access === undefined) void this.#tellLate(ended.signal, signal);
    const isNews = await this.#reader.read(this.#api, signal);
    ended.abort();
    if (!signal.aborted) this.#host.onRead(isNews);
  }

  async #tellLate(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(lateAfterMs, ended, { background: true });
    if (!ended.aborted && !signal.aborted) this.#host.onLate();
  }
}
