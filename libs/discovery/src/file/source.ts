import { resolve } from "node:path";
import { checkOptions, maxDurationMs, type OptionRules } from "@grpc-lb/core";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "../core/source.ts";
import { toDiscoveryError } from "./error.ts";
import { FileWatch } from "./file-watch.ts";
import { readContent } from "./reader.ts";

/** Which file to watch, and how. */
export interface FileSourceOptions {
  /** A relative path is resolved against the current directory of the process. */
  readonly path: string;
  /** How often the file is checked where the system reports no changes, in milliseconds; at least 100. Default: 5 s. */
  readonly pollMs?: number;
  /** How long a changed file must stay the same before it is read, in milliseconds; at least 1. Default: 50 ms. */
  readonly debounceMs?: number;
  /** As in `SourceDefinition`. Default: false. */
  readonly background?: boolean;
}

const optionRules: OptionRules = { path: "string", pollMs: "number", debounceMs: "number", background: "boolean" };

/**
 * Creates a source of the endpoints in a file, JSON or YAML: a list of endpoints, `{ endpoints, serviceConfig? }`, Prometheus'
 * file_sd, or Envoy's EDS; see the README. The file may be written in place, replaced by rename, or swapped as Kubernetes does
 * with those of a ConfigMap. A file that is broken, half-written, too large or gone leaves the last good endpoints, with an error
 * beside them that names file, line and field. An empty list is an empty set.
 *
 * In its stats, `lists` counts reads of the file, and `watches` how often a watch of its directory began.
 *
 * @throws RangeError for an option that is not valid, TypeError for one of another type or name
 */
export function createFileSource(options: FileSourceOptions): Source {
  return defineSourceIn(defineFileSource(options), {});
}

/** What `createFileSource` makes a source of. @throws RangeError for an option that is not valid */
export function defineFileSource(options: FileSourceOptions): SourceDefinitionIn {
  checkOptions("createFileSource", options, optionRules, ["path"]);
  const { pollMs = 5_000, debounceMs = 50, background } = options;
  if (options.path === "") throw new RangeError("path must name a file, got an empty one");
  const bounds = { pollMs: [pollMs, 100], debounceMs: [debounceMs, 1] } as const;
  for (const [name, [value, least]] of Object.entries(bounds)) {
    if (!(value >= least && value <= maxDurationMs)) {
      throw new RangeError(`${name} must be from ${least} to ${maxDurationMs}, got ${value}`);
    }
  }
  const path = resolve(options.path);
  return {
    subject: `file ${path}`,
    key: JSON.stringify(["file", path, pollMs, debounceMs]),
    background,
    start(store, signal, { clock }) {
      const watch = new FileWatch({
        ...{ path, pollMs, debounceMs, clock, counts: store },
        async onContent(bytes) {
          const { endpoints, serviceConfig } = await readContent(bytes);
          if (signal.aborted) return;
          store.endpoints.replaceAll(endpoints, { keepsOrder: true });
          store.sync({ serviceConfig });
        },
        onError: (cause) => store.fail(toDiscoveryError(path, cause)),
      });
      return watch.run(signal);
    },
  };
}
