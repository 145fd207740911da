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

/**
 * The newest started pod of a client that is not terminating and has not ended; without one, the newest that is starting; null
 * without a pod.
 */
export function chooseClientPod(client: string, pods: readonly ApiPod[]): ClientPod | null {
  const found = readClientPods(client, pods);
  return found.find(({ starting }) => starting === null) ?? found[0] ?? null;
}

/** The pods of a client that are not terminating and have not ended, as an evicted one has, the newest first. */
export function readClientPods(client: string, pods: readonly ApiPod[]): readonly ClientPod[] {
  return pods
    .filter(({ metadata, status }) => metadata.deletionTimestamp === undefined && !hasEnded(status))
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1))
    .map(({ metadata, status }) => {
      const container = status.containerStatuses?.find(({ name }) => name === client);
      const restarts = container?.restartCount ?? 0;
      const waiting = container === undefined ? (status.phase ?? "Pending") : container.state?.waiting?.reason;
      return { name: metadata.name, restarts, starting: restarts > 0 ? null : (waiting ?? null) };
    });
}

const hasEnded = ({ phase }: ApiPod["status"]) => phase === "Failed" || phase === "Succeeded";

/** Reads a client's pod from the cluster; null if there is none or the request fails. */
export async function findClientPod(kubectl: Kubectl, client: string): Promise<ClientPod | null> {
  return chooseClientPod(client, await listPods(kubectl, client));
}

/** Reads the pods of a client that have started from the cluster; none if the request fails. */
export async function findClientPods(kubectl: Kubectl, client: string): Promise<readonly ClientPod[]> {
  return readClientPods(client, await listPods(kubectl, client)).filter(({ starting }) => starting === null);
}

async function listPods(kubectl: Kubectl, client: string): Promise<readonly ApiPod[]> {
  const { code, stdout } = await kubectl.try(["get", "pods", "-l", `app=${client}`, "-o", "json"]);
  return code === 0 ? JSON.parse(stdout).items : [];
}
