import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * Tells of changes in a directory that may concern one of its files. It is a hint and no more: where the system has no word
 * of changes (network file systems, another host's writes, too many watches), nobody is told and nothing fails.
 */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #file: string;
  readonly #onChange: () => void;
  #watching: { readonly watcher: FSWatcher; readonly identity: string } | undefined;

  /**
   * @param file its name, without the directory
   * @param onChange called for a change of the file or of what Kubernetes swaps behind it (`..data`), perhaps of nothing
   */
  constructor(directory: string, file: string, onChange: () => void) {
    this.#directory = directory;
    this.#file = file;
    this.#onChange = onChange;
  }

  /** Watches the directory that is there now; whether that is another than before. To be called now and then. */
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
      watcher.on("error", () => this.close()); // looked at all the same, and watched anew with the next look
      this.#watching = { watcher, identity };
      return true;
    } catch {
      return false; // gone meanwhile, or too many watches: looked at all the same
    }
  }

  /** After it nobody is told, until `renew`. */
  close(): void {
    this.#watching?.watcher.close();
    this.#watching = undefined;
  }
}

/** The same path may be another directory later; undefined for none. */
async function identify(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined; // what is wrong is said of the file
  }
}
