import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { DirectoryWatch } from "./directory-watch.ts";
import { maxFileBytes } from "./reader.ts";

/** What a watch of a file is made with. */
export interface FileWatchOptions {
  /** Absolute. */
  readonly path: string;
  /** How often the file is checked where the system reports no changes, in milliseconds. */
  readonly pollMs: number;
  /** How long a changed file must stay the same before it is read, in milliseconds. */
  readonly debounceMs: number;
  readonly clock: Clock;
  /** `lists` counts reads of the file, `watches` how often a watch of its directory began. */
  readonly counts: { lists: number; watches: number };
  /**
   * Called with the content of the file at the start and after each change, at most 1 byte more than `maxFileBytes`. The next
   * change is read when it has returned. What it throws goes to `onError`.
   */
  onContent(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Called when the file cannot be used, and once when it cannot be read: again for another reason, or after it could be read. Not
   * called after the end of the watch.
   */
  onError(cause: unknown): void;
}

/** A file that is written to without end is read after so many waits. */
const mostDebounces = 20;

/**
 * Reads a file whenever it changed: checks it when its directory reports a change and from time to time, and reads it when it
 * differs from what was read last, once it has stayed the same for a moment (an editor may empty it first and write it then).
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #directory: DirectoryWatch;
  /** The file that was read last, and its state. */
  #read: string | undefined;
  /** Why the file cannot be read; undefined after it was. */
  #unreadable: string | undefined;
  #hasNews = false;
  #wake = () => {};

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#directory = new DirectoryWatch(dirname(options.path), basename(options.path), () => {
      this.#hasNews = true;
      this.#wake();
    });
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#renewDirectory();
      if (!signal.aborted) await this.#readFile(signal); // without a wait: there is no good set to lose
      while (!signal.aborted) {
        await this.#untilNews(signal);
        if (signal.aborted) return;
        await this.#renewDirectory(); // before the check, so that no change falls between the two
        await this.#check(signal);
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

  async #check(signal: AbortSignal): Promise<void> {
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
    const { counts, onContent, onError } = this.#options;
    counts.lists += 1;
    try {
      const bytes = await this.#tryToRead();
      if (bytes) await onContent(bytes, signal);
    } catch (cause) {
      if (!signal.aborted) onError(cause);
    }
  }

  /** @returns undefined if the file cannot be read for the same reason as before: one that exists is tried again at each poll */
  async #tryToRead(): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#readBytes();
      this.#unreadable = undefined;
      return bytes;
    } catch (error) {
      const before = this.#unreadable;
      this.#unreadable = String(error);
      if (before === this.#unreadable) return undefined;
      throw error;
    }
  }

  /** The whole file, or one byte more than is read at most. */
  async #readBytes(): Promise<Uint8Array> {
    try {
      // Without O_NONBLOCK the open of a pipe waits for its writer.
      const file = await open(this.#options.path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) throw Object.assign(new Error("not a regular file"), { code: "EISDIR" });
        this.#read = describeState(stats); // before the content: what changes after it is news
        const chunks: Buffer[] = [];
        for await (const chunk of file.createReadStream({ end: maxFileBytes, autoClose: false })) chunks.push(chunk);
        return Buffer.concat(chunks);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#read = codeOf(error); // until `stat` returns something else
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

/** Another file, or another content, has another state. */
const describeState = ({ dev, ino, size, mtimeNs, ctimeNs }: State) => [dev, ino, size, mtimeNs, ctimeNs].join(":");

/** The state of a file, or the code of the error that keeps it from being read. */
async function stateOf(path: string): Promise<string> {
  try {
    return describeState(await stat(path, { bigint: true }));
  } catch (error) {
    return codeOf(error);
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
