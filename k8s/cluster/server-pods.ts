import type { Kubectl } from "./kubectl.ts";

/** A pod of the server that takes calls. */
export interface ServerPod {
  readonly name: string;
  /** When it became ready, by the node's clock, in whole seconds. */
  readonly readyAtMs: number;
}

/** The fields of an API pod that are used here. */
export interface ApiServerPod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

/** The pods that are ready and not terminating, by name. */
export function readyPods(items: readonly ApiServerPod[]): ServerPod[] {
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ metadata, status }) => {
      const ready = status.conditions?.find((condition) => condition.type === "Ready" && condition.status === "True");
      return ready ? [{ name: metadata.name, readyAtMs: Date.parse(ready.lastTransitionTime ?? "") || 0 }] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Reads the server's ready pods from the cluster. */
export async function listReadyServers(kubectl: Kubectl): Promise<ServerPod[]> {
  return readyPods((await kubectl.get(["pods", "-l", "app=server"])).items);
}
