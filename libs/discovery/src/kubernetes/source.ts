import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { identify, SharedRuns } from "../core/shared-runs.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import { defineSource, type Source, type SourceDefinition, untilAborted } from "../core/source.ts";
import { maxTimerMs } from "../core/watch-snapshots.ts";
import { findAccess } from "./access.ts";
import type { ApiAccess } from "./api-client.ts";
import type { PortSelector } from "./port.ts";
import { PortView } from "./port-view.ts";
import { ServiceWatch } from "./service-watch.ts";

/** Which service to watch, and how. */
export interface KubernetesSourceOptions {
  readonly service: string;
  /** Default: the namespace of the pod, or of the kubeconfig's context. */
  readonly namespace?: string | undefined;
  /**
   * A name, the number of a target port, or the number of a port of the Service. Default: the port that most slices have, the
   * first by name of several.
   */
  readonly port?: string | number | undefined;
  /** How to reach the API server; sources share a watch by this object. Default: the pod's service account, else the kubeconfig. */
  readonly access?: ApiAccess | undefined;
  /** Which address of a dual-stack pod comes first. Default: IPv4. */
  readonly preferredFamily?: "IPv4" | "IPv6" | undefined;
  /** A watch without an event or bookmark for this long is restarted, in milliseconds; at least 90 s in real clusters. Default: 100 s. */
  readonly idleDeadlineMs?: number;
  /** As in `SourceDefinition`. Default: false. */
  readonly background?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** One for each service and access, whatever the ports that are read. */
const watches = new SharedRuns<ServiceWatch>();

/**
 * Watches a Kubernetes service by list and watch of its EndpointSlices and of the Service. All sources of the same service in a
 * process that have the same `access` object, as all have that are given none, share the two watches.
 *
 * Needed rights, in the service's namespace: `endpointslices` (discovery.k8s.io) list and watch. For the Service's own port
 * numbers and its service config also `services` get, list and watch; with get alone, changes are seen within 30 s.
 *
 * @throws RangeError for names that cannot be
 */
export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  return defineSource(defineKubernetesSource(options));
}

/** What `createKubernetesSource` makes a source of. @throws RangeError for names that cannot be */
export function defineKubernetesSource(options: KubernetesSourceOptions): SourceDefinition {
  const { service, namespace, access, clock = systemClock, random = Math.random, background } = options;
  const { idleDeadlineMs = 100_000, preferredFamily = "IPv4" } = options;
  for (const [field, name] of Object.entries({ service, namespace })) {
    if (name !== undefined && !dnsLabel.test(name)) throw new RangeError(`${field} must be a DNS label, got "${name}"`);
  }
  if (!(idleDeadlineMs > 0)) throw new RangeError(`idleDeadlineMs must be > 0, got ${idleDeadlineMs}`);
  if (idleDeadlineMs > maxTimerMs) {
    throw new RangeError(`idleDeadlineMs must be <= ${maxTimerMs}, got ${idleDeadlineMs}`);
  }
  const port = selectPort(options.port);
  const key = [
    "kubernetes",
    access && identify(access),
    namespace,
    service,
    options.port && String(options.port),
    preferredFamily,
  ];

  async function start(store: SnapshotStore, signal: AbortSignal): Promise<void> {
    const found = access ?? (await findAccess(clock));
    if (signal.aborted) return;
    const where = namespace ?? found.namespace;
    store.subject = `service ${where}/${service}`;
    const lease = watches.acquire(
      `${identify(clock)} ${identify(found)} ${where}/${service}`,
      () => new ServiceWatch({ access: found, namespace: where, service, clock, random, idleDeadlineMs }),
      (watch, ending) => watch.run(ending),
    );
    const endGrace = async (ms: number) => {
      await clock.sleep(ms, signal, { background: true });
      if (!signal.aborted) view.endGrace();
    };
    const view = new PortView(lease.value, store, { port, preferredFamily, onUnmapped: (ms) => void endGrace(ms) });
    lease.value.attach(view);
    try {
      await Promise.race([untilAborted(signal), lease.ended]);
    } finally {
      lease.value.detach(view);
      await lease.release();
    }
  }

  return {
    subject: namespace === undefined ? `service ${service}` : `service ${namespace}/${service}`,
    key: JSON.stringify(key),
    background,
    clock,
    random,
    start,
  };
}

function selectPort(port: string | number | undefined): PortSelector {
  if (port === undefined) return { t: "mostCommon" };
  if (typeof port === "string" && !/^\d+$/.test(port)) {
    if (!dnsLabel.test(port)) throw new RangeError(`port must be a name or a number, got "${port}"`);
    return { t: "name", name: port };
  }
  const number = Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new RangeError(`port must be a name or a number from 1 to 65535, got "${port}"`);
  }
  return { t: "number", number };
}
