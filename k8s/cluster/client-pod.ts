import type { Kubectl } from "./kubectl.ts";

/** The pod whose logs represent a client. */
export interface ClientPod {
  readonly name: string;
  readonly restarts: number;
  /** Why it has no logs yet; null once it has started. */
  readonly starting: string | null;
}

/** The fields of an API pod that are used here. */
export interface ApiPod {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly status: {
    readonly phase?: string;
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly state?: { readonly waiting?: { readonly reason?: string } };
    }[];
  };
}

/** The newest started pod of a client that is not terminating; without one, the newest that is starting; null without a pod. */
export function chooseClientPod(client: string, pods: readonly ApiPod[]): ClientPod | null {
  const sights = pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1))
    .map(({ metadata, status }) => {
      const container = status.containerStatuses?.find(({ name }) => name === client);
      const restarts = container?.restartCount ?? 0;
      const waiting = container === undefined ? (status.phase ?? "Pending") : container.state?.waiting?.reason;
      return { name: metadata.name, restarts, starting: restarts > 0 ? null : (waiting ?? null) };
    });
  return sights.find(({ starting }) => starting === null) ?? sights[0] ?? null;
}

/** Reads a client's pod from the cluster; null if there is none or the request fails. */
export async function findClientPod(kubectl: Kubectl, client: string): Promise<ClientPod | null> {
  const { code, stdout } = await kubectl.try(["get", "pods", "-l", `app=${client}`, "-o", "json"]);
  return code === 0 ? chooseClientPod(client, JSON.parse(stdout).items) : null;
}
