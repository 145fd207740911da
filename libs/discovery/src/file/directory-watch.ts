import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * Reports changes in a directory that may affect one of its files. It is only a hint: where the system reports no changes
 * (network file systems, writes of another host, too many watches), there is no call and no error, so the owner must also poll.
 */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #file: string;
  readonly #onChange: () => void;
  #watching: { readonly watcher: FSWatcher; readonly identity: string } | undefined;

  /**
   * @param file the name of the file, without the directory
   * @param onChange called after a change of the file, or of the `..data` link that Kubernetes swaps; the content may be the same
   */
  constructor(directory: string, file: string, onChange: () => void) {
    this.#directory = directory;
    this.#file = file;
    this.#onChange = onChange;
  }

  /**
   * Watches the directory that the path names now. The owner calls it with each poll, because the path may name another
   * directory later.
   *
   * @returns whether it started a new watch
   */
  async renew(): Promise<boolean> {
    const identity = await identify(this.#directory);
    if (identity === this.#watching?.identity) return false;
    this.close();
    if (identity === undefined) return false;
    try {
      const watcher = watch(this.#directory, { persistent: false });
      watcher.on("change", (_, name) => {
        if (name === null || name === this.#file || String(name).startsWith("..")) this.#onChange();
      });
      watcher.on("error", () => this.close()); // polling goes on, and the next `renew` starts a new watch
      this.#watching = { watcher, identity };
      return true;
    } catch {
      return false; // the directory was removed, or there are too many watches; polling goes on
    }
  }

  /** Ends the watch. `onChange` is not called until the next `renew`. */
  close(): void {
    this.#watching?.watcher.close();
    this.#watching = undefined;
  }
}

/** Identifies the directory that the path names now; undefined if there is none. */
async function identify(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined; // reading the file reports the error
  }
}
