import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "@grpc-lb/core";
import type { LastGood } from "../core/last-good.ts";
import type { SourceCounts } from "../core/source-counts.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { describeFailure } from "./file-error.ts";
import { parseContent } from "./parse-content.ts";

/** What a watch of a file is made with. */
export interface FileWatchOptions {
  /** Absolute. */
  readonly path: string;
  readonly pollMs: number;
  readonly debounceMs: number;
  readonly clock: Clock;
  readonly counts: SourceCounts;
}

/** A file that is written to without end is read in the end. */
const mostDebounces = 20;

/**
 * The loop that reads a file whenever it changed: looked at when its directory has news and from time to time, read when it
 * is another than the one read last, once it stayed the same for a moment (an editor may empty it first and write it then).
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #good: LastGood;
  readonly #directory: DirectoryWatch;
  /** Which file was read last, and in which state. */
  #read: string | undefined;
  #hasNews = false;
  #wake = () => {};

  constructor(options: FileWatchOptions, good: LastGood) {
    this.#options = options;
    this.#good = good;
    this.#directory = new DirectoryWatch(dirname(options.path), basename(options.path), () => {
      this.#hasNews = true;
      this.#wake();
    });
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#renewDirectory();
      if (!signal.aborted) await this.#readFile(signal); // at once: who begins has nothing to lose
      while (!signal.aborted) {
        await this.#untilNews(signal);
        if (signal.aborted) return;
        await this.#renewDirectory(); // before the look, so that no change falls between the two
        await this.#look(signal);
      }
    } finally {
      this.#directory.close();
    }
  }

  async #renewDirectory(): Promise<void> {
    if (await this.#directory.renew()) this.#options.counts.watches += 1;
  }

  async #untilNews(signal: AbortSignal): Promise<void> {
    const { clock, pollMs } = this.#options;
    if (!this.#hasNews) {
      const waiting = new AbortController();
      this.#wake = () => waiting.abort();
      await clock.sleep(pollMs, AbortSignal.any([signal, waiting.signal]), { background: true });
      this.#wake = () => {};
    }
    this.#hasNews = false;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, path, debounceMs } = this.#options;
    let state = await stateOf(path);
    if (state === this.#read) return;
    for (let n = 0; n < mostDebounces && !signal.aborted; n++) {
      await clock.sleep(debounceMs, signal, { background: true });
      const later = await stateOf(path);
      if (later === state) break;
      state = later;
    }
    if (!signal.aborted && state !== this.#read) await this.#readFile(signal);
  }

  async #readFile(signal: AbortSignal): Promise<void> {
    const { clock, path, counts } = this.#options;
    counts.lists += 1;
    try {
      const content = await parseContent(await this.#readText());
      if (signal.aborted) return;
      counts.heard();
      this.#good.set({ ...content, atMs: clock.now() });
    } catch (cause) {
      if (signal.aborted) return;
      const error = describeFailure(path, cause);
      counts.failed(error);
      this.#good.fail(error);
    }
  }

  async #readText(): Promise<string> {
    try {
      // Nobody may ever write to a pipe, which without O_NONBLOCK would be waited for.
      const file = await open(this.#options.path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) throw Object.assign(new Error("it is no regular file"), { code: "EISDIR" });
        this.#read = describeState(stats); // before the text: what changes after it is news
        return await file.readFile("utf8");
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#read = codeOf(error); // as long as `stat` says the same; else it is tried again
      throw error;
    }
  }
}

interface State {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Another file, or another text, has another state. */
const describeState = ({ dev, ino, size, mtimeNs, ctimeNs }: State) => [dev, ino, size, mtimeNs, ctimeNs].join(":");

/** The state, or why there is none. */
async function stateOf(path: string): Promise<string> {
  try {
    return describeState(await stat(path, { bigint: true }));
  } catch (error) {
    return codeOf(error);
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
