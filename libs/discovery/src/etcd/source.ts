import { checkOptions, maxDurationMs, type OptionRules } from "@grpc-lb/core";
import { defaultMissingGraceMs } from "../core/missing-instances.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "../core/source.ts";
import { type EtcdAccess, parseEtcdEndpoints, readEtcdEnvironment, validateEtcdCredentials } from "./access.ts";
import { Cluster } from "./cluster.ts";
import { createLayout, type LayoutOptions } from "./layouts.ts";
import { etcdOptions } from "./options.ts";
import { PrefixWatch } from "./prefix-watch.ts";

/** Which service, where and how. */
export interface EtcdSourceOptions extends EtcdAccess, LayoutOptions {
  /**
   * Its name: the keys of its instances without their last part, for layouts with a namespace without that too. May contain
   * slashes and begin with one.
   */
  readonly service: string;
  /** How long etcd may be silent before its progress is requested, in milliseconds. Default: 10 s. */
  readonly progressIntervalMs?: number;
  /** How long an answer may take, connecting included, in milliseconds; then the next member is used. Default: 5 s. */
  readonly answerTimeoutMs?: number;
  /**
   * How long an instance is served that is missing when etcd is read after a failure, or when the store is another or an older
   * one, in milliseconds: instances that live register again. Default: 10 s.
   */
  readonly missingGraceMs?: number;
  /**
   * Whether an iterator of `watch` does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. A connection attempt keeps it alive all the same, for `answerTimeoutMs` at most. Default: false.
   */
  readonly background?: boolean;
}

const optionRules: OptionRules = {
  ...etcdOptions,
  service: "string",
  progressIntervalMs: "number",
  answerTimeoutMs: "number",
  missingGraceMs: "number",
  background: "boolean",
};

/**
 * Watches a service whose instances are registered in etcd, 3.4 or newer. An endpoint's id is its key behind the prefix. While etcd
 * cannot be reached, the last good endpoints stay, with the error. A value that cannot be read leaves the last good
 * one of its key in use, and is an error of code `invalid` in the snapshot.
 *
 * All sources of this function with the same service, layout, cluster and credentials share one watch in a process; the other options are those of
 * the source that started it. Needs the right to read the prefix.
 *
 * @throws RangeError for options that are not valid, TypeError for those of another type or name; it contains no secret
 */
export function createEtcdSource(options: EtcdSourceOptions): Source {
  return defineSourceIn(defineEtcdSource(options), {});
}

/** The definition of `createEtcdSource`. */
export function defineEtcdSource(options: EtcdSourceOptions): SourceDefinitionIn {
  checkOptions("createEtcdSource", options, optionRules, ["endpoints", "service"]);
  const { endpoints, service, background } = options;
  const { progressIntervalMs = 10_000, answerTimeoutMs = 5_000, missingGraceMs = defaultMissingGraceMs } = options;
  for (const [name, ms] of Object.entries({ progressIntervalMs, answerTimeoutMs })) {
    if (!(ms > 0 && ms <= maxDurationMs))
      throw new RangeError(`${name} must be > 0 and <= ${maxDurationMs}, got ${ms}`);
  }
  if (!(missingGraceMs >= 0 && missingGraceMs <= maxDurationMs)) {
    throw new RangeError(`missingGraceMs must be >= 0 and <= ${maxDurationMs}, got ${missingGraceMs}`);
  }
  const layout = createLayout(options);
  const prefix = layout.prefix(service);
  const credentials = validateEtcdCredentials(options.credentials ?? readEtcdEnvironment());
  parseEtcdEndpoints(endpoints);
  return {
    subject: `etcd ${prefix}`,
    key: `etcd ${JSON.stringify([layout.name, prefix, endpoints.toSorted(), credentials])}`,
    background,
    start(store, signal, { clock, random }) {
      const cluster = new Cluster({ endpoints, credentials }, clock, random);
      const watch = { cluster, layout, prefix, clock, random, progressIntervalMs, answerTimeoutMs, missingGraceMs };
      return new PrefixWatch(watch, store, signal).run();
    },
  };
}
