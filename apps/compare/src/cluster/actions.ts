import type { ApiClient } from "@grpc-lb/discovery/kubernetes/api";
import type { PageAction } from "../../page/protocol.ts";
import type { ServerPod } from "./pod.ts";

/** The cluster that an action changes. */
export interface ActionTarget {
  readonly api: ApiClient;
  readonly namespace: string;
  /** The server's pods, the one that has its state longest first. */
  readonly servers: readonly ServerPod[];
  readonly signal: AbortSignal;
}

/** A button of the page, and what it does to the cluster. */
export interface ClusterAction extends PageAction {
  /** @returns what prevented it; empty when it was done. @throws DiscoveryError */
  run(target: ActionTarget): Promise<string>;
}

const patchType = { merge: "application/merge-patch+json", strategic: "application/strategic-merge-patch+json" };

/** Changes a part of an object in the namespace; `path` is of the group's version on. */
async function patch(
  { api, namespace, signal }: ActionTarget,
  { path, what, type, change }: { path: string; what: string; type: keyof typeof patchType; change: object },
): Promise<string> {
  const body = { type: patchType[type], text: JSON.stringify(change) };
  const request = {
    method: "PATCH",
    path: `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${path}`,
    what,
    signal,
    body,
  } as const;
  await api.get(request, () => {});
  return "";
}

/** Reads first and names the version that it read, so that a change in between is a conflict and not overwritten. */
const scaleBy = (step: number) => async (target: ActionTarget) => {
  const { api, namespace, signal } = target;
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments/server/scale`;
  const scale = await api.get({ path, what: "get the scale of deployment server", signal }, readScale);
  const replicas = scale.replicas + step;
  if (replicas < 1) return "the last pod stays";
  const change = { metadata: { resourceVersion: scale.version }, spec: { replicas } };
  return patch(target, { path: "deployments/server/scale", what: "scale deployment server", type: "merge", change });
};

/** @throws RangeError for anything but a scale */
function readScale(answer: unknown): { readonly replicas: number; readonly version: string } {
  const { spec, metadata } = (answer ?? {}) as { spec?: { replicas?: unknown }; metadata?: Record<string, unknown> };
  const replicas = spec?.replicas ?? 0; // the API leaves out a 0
  const version = metadata?.resourceVersion;
  if (typeof replicas !== "number" || typeof version !== "string") throw new RangeError("the answer must be a Scale");
  return { replicas, version };
}

/** What the page may do with `--allow-actions`. */
export const clusterActions: readonly ClusterAction[] = [
  { name: "scale-up", label: "+ pod", key: "+", help: "Scales the server up by one pod", run: scaleBy(1) },
  { name: "scale-down", label: "− pod", key: "-", help: "Scales the server down by one pod", run: scaleBy(-1) },
  {
    ...{ name: "delete-pod", label: "Delete pod", key: "k", help: "Deletes the pod that has been ready longest" },
    async run({ api, namespace, servers, signal }) {
      const oldest = servers.find(({ state }) => state === "ready")?.pod;
      if (oldest === undefined) return "no pod is ready";
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(oldest)}`;
      await api.get({ method: "DELETE", path, what: `delete pod ${oldest}`, signal }, () => {});
      return "";
    },
  },
  {
    ...{ name: "restart", label: "Rollout restart", key: "r", help: "Replaces every pod, one after the other" },
    run(target) {
      // What `kubectl rollout restart` does: the template has another annotation, and so every pod is replaced.
      const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
      const change = { spec: { template: { metadata: { annotations } } } };
      return patch(target, { path: "deployments/server", what: "restart deployment server", type: "merge", change });
    },
  },
  {
    ...{ name: "report", label: "Report connections", key: "c" },
    help: "Restarts the clients with EVENTS=true, so that they report times and connections",
    async run(target) {
      for (const name of ["client-http", "client-grpc"]) {
        const containers = [{ name, env: [{ name: "EVENTS", value: "true" }] }];
        const change = { spec: { template: { spec: { containers } } } };
        await patch(target, { path: `deployments/${name}`, what: `set EVENTS of ${name}`, type: "strategic", change });
      }
      return "";
    },
  },
];
