import { checkOptions, isPortNumber, maxDurationMs, type OptionRules, redactAddress } from "@grpc-lb/core";
import { identify, SharedRuns } from "../core/shared-runs.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn, untilAborted } from "../core/source.ts";
import { findAccess } from "./access.ts";
import type { ApiAccess } from "./api-client.ts";
import { kubernetesOptions } from "./options.ts";
import type { PortSelector } from "./port.ts";
import { PortView } from "./port-view.ts";
import { ServiceWatch } from "./service-watch.ts";

/** Which service to watch, and how. */
export interface KubernetesSourceOptions {
  readonly service: string;
  /** Default: the namespace of the pod, or of the kubeconfig's context. */
  readonly namespace?: string | undefined;
  /**
   * A name, the number of a target port, or the number of a port of the Service. Default: the port that most slices have; on a
   * tie, the first by name.
   */
  readonly port?: string | number | undefined;
  /** How to reach the API server. Sources with the same object share a watch. Default: the kubeconfig, else the pod's service account. */
  readonly access?: ApiAccess | undefined;
  /** Which address of a dual-stack pod comes first. Default: IPv4. */
  readonly preferredFamily?: "IPv4" | "IPv6" | undefined;
  /**
   * A watch is restarted after this time without an event or bookmark, in milliseconds. Use at least 90 s with a real cluster,
   * which sends a bookmark about once a minute. Default: 100 s.
   */
  readonly idleDeadlineMs?: number;
  /** See `SourceDefinition.background`. Default: false. */
  readonly background?: boolean;
}

const optionRules: OptionRules = {
  ...kubernetesOptions,
  service: "string",
  namespace: "string",
  port: ["string", "number"],
  idleDeadlineMs: "number",
  background: "boolean",
};

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** One watch per service and access; sources of different ports share it. */
const watches = new SharedRuns<ServiceWatch>();

/**
 * Discovers the endpoints of a Kubernetes service: lists and watches its EndpointSlices and the Service. Sources of the same
 * service in a process share the two watches if they have the same `access` object, or none.
 *
 * Required rights in the service's namespace: list and watch of `endpointslices` (discovery.k8s.io). The Service's own port
 * numbers and its service config also require get, list and watch of `services`; with get alone, changes take up to 30 s.
 *
 * @throws RangeError for an invalid name, port or `idleDeadlineMs`, TypeError for options of another type or name
 */
export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  return defineSourceIn(defineKubernetesSource(options), {});
}

/** The definition of the source that `createKubernetesSource` creates. @throws RangeError for the same reasons */
export function defineKubernetesSource(options: KubernetesSourceOptions): SourceDefinitionIn {
  checkOptions("createKubernetesSource", options, optionRules, ["service"]);
  const { service, namespace, access, background } = options;
  const { idleDeadlineMs = 100_000, preferredFamily = "IPv4" } = options;
  for (const [field, name] of Object.entries({ service, namespace })) {
    if (name !== undefined && !dnsLabel.test(name))
      throw new RangeError(`${field} must be a DNS label, got "${redactAddress(name)}"`);
  }
  if (!(idleDeadlineMs > 0)) throw new RangeError(`idleDeadlineMs must be > 0, got ${idleDeadlineMs}`);
  if (idleDeadlineMs > maxDurationMs) {
    throw new RangeError(`idleDeadlineMs must be <= ${maxDurationMs}, got ${idleDeadlineMs}`);
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

  const start: SourceDefinitionIn["start"] = async (store, signal, { clock, random }) => {
    const found = access ?? (await Promise.race([findAccess(clock), untilAborted(signal)]));
    if (signal.aborted || !found) return;
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
  };

  return {
    subject: namespace === undefined ? `service ${service}` : `service ${namespace}/${service}`,
    key: JSON.stringify(key),
    background,
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
  if (!isPortNumber(number)) {
    throw new RangeError(`port must be a name or a number from 1 to 65535, got "${port}"`);
  }
  return { t: "number", number };
}
