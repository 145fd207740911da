import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import { endable, maxTimerMs } from "../core/endable.ts";
import { Latest } from "../core/latest.ts";
import type { Snapshot, Source } from "../core/snapshot.ts";
import { findAccess } from "./access.ts";
import type { ApiAccess } from "./api.ts";
import { feedOf } from "./feeds.ts";
import type { PortSelector } from "./port.ts";
import type { FeedStats, ServiceFeed } from "./service-feed.ts";
import { ServiceView } from "./service-view.ts";

/** Which service to watch, and how. */
export interface KubernetesSourceOptions {
  readonly service: string;
  /** Default: the namespace of the pod, or of the kubeconfig's context. */
  readonly namespace?: string;
  /** A name, the number of a target port, or the number of a port of the Service. Default: that which most slices have, the first by name of several. */
  readonly port?: string | number;
  /** How to reach the API server; sources share a watch by this object. Default: the pod's service account, else the kubeconfig. */
  readonly access?: ApiAccess;
  /** Which address of a dual-stack pod comes first. Default: IPv4. */
  readonly preferredFamily?: "IPv4" | "IPv6";
  /** A watch that says nothing for so long is begun anew, in milliseconds; at least 90 s in real clusters. Default: 100 s. */
  readonly idleDeadlineMs?: number;
  /**
   * Whether a watch that is read does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. Default: false, as for a program that does nothing but read.
   */
  readonly background?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A source that watches the EndpointSlices of a service. */
export interface KubernetesSource extends Source {
  /** What the watch has done and seen, also after its end; undefined before its start. */
  readonly stats: FeedStats | undefined;
}

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Watches a Kubernetes service by list and watch of its EndpointSlices. All sources of the same service in a process that have
 * the same `access` object, as all have that are given none, share one watch, which begins with the first reader and ends with
 * the last. Needed rights, in the service's namespace:
 * `endpointslices` (discovery.k8s.io) list and watch; `services` get where ports are given by the Service's number, or
 * a service config by its annotation.
 *
 * @throws RangeError for names that cannot be
 */
export function createKubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  const { service, namespace, clock = systemClock, random = Math.random, idleDeadlineMs = 100_000 } = options;
  const { background = false } = options;
  for (const [field, name] of Object.entries({ service, namespace })) {
    if (name !== undefined && !dnsLabel.test(name)) throw new RangeError(`${field} must be a DNS label, got "${name}"`);
  }
  if (!(idleDeadlineMs > 0)) throw new RangeError(`idleDeadlineMs must be > 0, got ${idleDeadlineMs}`);
  if (idleDeadlineMs > maxTimerMs)
    throw new RangeError(`idleDeadlineMs must be <= ${maxTimerMs}, got ${idleDeadlineMs}`);
  const port = selectPort(options.port);
  const subject = namespace === undefined ? `service ${service}` : `service ${namespace}/${service}`;
  const preferredFamily = options.preferredFamily ?? "IPv4";
  let feed: ServiceFeed | undefined;

  async function* read(signal: AbortSignal): AsyncGenerator<Snapshot, void, void> {
    const access = options.access ?? (yield* waitForAccess(subject, clock, signal));
    if (!access || signal.aborted) return;
    const where = namespace ?? access.namespace;
    const latest = new Latest<Snapshot>();
    const joined = feedOf({ access, namespace: where, service, clock, random, idleDeadlineMs });
    feed = joined;
    const view = new ServiceView(joined, { subject: `service ${where}/${service}`, port, preferredFamily }, latest);
    joined.join(view);
    try {
      yield* latest.read(signal);
    } finally {
      await joined.leave(view);
    }
  }

  return {
    subject,
    watch: (signal) => endable(read, signal, background),
    get stats() {
      return feed?.stats;
    },
  };
}

const retryAccessMs = 5_000;

/** Finds this process's access; while there is none, says why and looks again. */
async function* waitForAccess(
  subject: string,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Snapshot, ApiAccess | undefined, void> {
  let said: string | undefined;
  while (!signal.aborted) {
    try {
      return await findAccess(clock);
    } catch (cause) {
      const error =
        cause instanceof DiscoveryError
          ? cause
          : new DiscoveryError("notFound", `kubernetes: ${(cause as Error).message}`, { cause });
      if (error.message !== said && !signal.aborted) {
        yield { subject, endpoints: undefined, lastSyncMs: undefined, error, serviceConfig: undefined };
      }
      said = error.message;
      await clock.sleep(retryAccessMs, signal, { background: true });
    }
  }
  return undefined;
}

function selectPort(port: string | number | undefined): PortSelector {
  if (port === undefined) return { t: "first" };
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
