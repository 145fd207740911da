import type { Kubectl } from "../cluster/kubectl.ts";
import { copyDeployment } from "./copy-deployment.ts";
import { until } from "./until.ts";

/** Servers of the same Service that differ from those that were deployed. */
export interface ServerVariant {
  readonly name: string;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** The zone of their nodes; undefined for any. */
  readonly zone: string | undefined;
}

/** A ready pod of a server. */
export interface ServerPod {
  readonly name: string;
  readonly ip: string;
  /** The name of its variant. */
  readonly variant: string;
}

const variantLabel = "variant";

/** Creates a Deployment like `server`, except for what the variant sets. */
export async function deployVariant(kubectl: Kubectl, { name, replicas, env, zone }: ServerVariant): Promise<void> {
  const nodeSelector = zone === undefined ? {} : { nodeSelector: { "topology.kubernetes.io/zone": zone } };
  await copyDeployment(kubectl, "server", name, { labels: { [variantLabel]: name }, replicas, env, ...nodeSelector });
}

/** Creates a Service like `server` for the pods of one variant, with the variant's name. */
export async function exposeVariant(kubectl: Kubectl, name: string): Promise<void> {
  const { metadata, spec } = await kubectl.get(["service", "server"]);
  const object = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: metadata.labels },
    spec: { ports: spec.ports, selector: { app: "server", [variantLabel]: name } },
  };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
}

/** Scales variants by name and waits until exactly that many of their pods are ready and no other pod serves calls. */
export async function scaleVariants(
  kubectl: Kubectl,
  replicas: Readonly<Record<string, number>>,
): Promise<readonly ServerPod[]> {
  const scale = ([name, count]: [string, number]) =>
    kubectl.run(["scale", `deployment/${name}`, `--replicas=${count}`]);
  await Promise.all(Object.entries(replicas).map(scale));
  return serversToBe(kubectl, replicas);
}

/** Waits until exactly that many pods of each variant are ready; terminating pods are ignored. */
export async function serversToBe(
  kubectl: Kubectl,
  replicas: Readonly<Record<string, number>>,
): Promise<readonly ServerPod[]> {
  type PodObject = {
    metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
    status: { podIP?: string; conditions?: { type: string; status: string }[] };
  };
  const wanted = Object.values(replicas).reduce((sum, count) => sum + count, 0);
  return until(`${wanted} ready servers`, 120_000, async () => {
    const items: readonly PodObject[] = (await kubectl.get(["pods", "-l", "app=server"])).items;
    const staying = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const ready = staying
      .filter(({ status }) => status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"))
      .map(({ metadata, status }) => ({
        name: metadata.name,
        ip: status.podIP ?? "",
        variant: metadata.labels[variantLabel] ?? "server",
      }));
    const isThere = Object.entries(replicas).every(
      ([name, count]) => ready.filter(({ variant }) => variant === name).length === count,
    );
    return isThere && staying.length === wanted
      ? { value: ready }
      : { seen: `${ready.length} ready of ${staying.length} pods` };
  });
}

/** The zones with a node that is ready and schedulable, in order. */
export async function zonesOf(kubectl: Kubectl): Promise<readonly string[]> {
  type NodeObject = {
    metadata: { labels: Record<string, string> };
    spec: { unschedulable?: boolean; taints?: { effect: string }[] };
    status: { conditions: { type: string; status: string }[] };
  };
  const items: readonly NodeObject[] = (await kubectl.get(["nodes"])).items;
  const usable = items
    .filter(({ spec }) => !spec.unschedulable && !spec.taints?.some(({ effect }) => effect.startsWith("No")))
    .filter(({ status }) => status.conditions.some(({ type, status }) => type === "Ready" && status === "True"));
  const zones = usable.map(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"]);
  return [...new Set(zones.filter((zone) => zone !== undefined))].sort();
}
