import { resolve } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { FileWatch, readDocumentOf, shownNameTwice, toDiscoveryError } from "@grpc-lb/discovery/file/api";
import type { Config } from "./config.ts";
import { readConfig } from "./read-config.ts";

/** What a watched configuration is made with. */
export interface ConfigFileOptions {
  /** A relative path is resolved against the current directory of the process. */
  readonly path: string;
  readonly clock: Clock;
  /** How often the file is checked where the system reports no changes, in milliseconds. Default: 5 s. */
  readonly pollMs?: number;
  /** How long a changed file must stay the same before it is read, in milliseconds. Default: 50 ms. */
  readonly debounceMs?: number;
  /** Called with each configuration that is valid, the first one included; those before stay in use until then. */
  onConfig(config: Config): void;
  /** Called with one line that names the file, the line and the field; the last good configuration stays in use. */
  onError(message: string): void;
}

/**
 * Watches a file of configuration, JSON or YAML, until the signal is aborted: written in place, replaced by rename, or swapped as
 * Kubernetes does with those of a ConfigMap. It reads the file at once, whatever it is.
 *
 * @returns a promise that resolves when the watch has ended and nothing is left
 */
export function watchConfigFile(options: ConfigFileOptions, signal: AbortSignal): Promise<void> {
  const { clock, pollMs = 5_000, debounceMs = 50, onConfig, onError } = options;
  const path = resolve(options.path);
  const watch = new FileWatch({
    ...{ path, pollMs, debounceMs, clock, counts: { lists: 0, watches: 0 } },
    async onContent(bytes) {
      const config = await readDocumentOf(bytes, readValue, shownNameTwice);
      if (!signal.aborted) onConfig(config);
    },
    onError: (cause) => onError(toDiscoveryError(path, cause).message.replace(/^file: /, "")),
  });
  return watch.run(signal);
}

/** A configuration is small, so it is read in one step. */
// biome-ignore lint/correctness/useYield: the reader of documents takes a generator, for files that are large
function* readValue(value: unknown): Generator<void, Config> {
  return readConfig(value);
}
