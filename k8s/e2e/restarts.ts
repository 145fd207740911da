import type { Kubectl } from "../cluster/kubectl.ts";

interface PodObject {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly lastState?: { readonly terminated?: { readonly reason?: string } };
    }[];
  };
}

/** The containers of the namespace that the kubelet has started again, each with how often and why; there should be none. */
export async function listRestarts(kubectl: Kubectl): Promise<readonly string[]> {
  const pods: readonly PodObject[] = (await kubectl.get(["pods"])).items;
  return pods.flatMap(({ metadata, status: { containerStatuses = [] } }) =>
    containerStatuses
      .filter(({ restartCount }) => restartCount > 0)
      .map(({ name, restartCount, lastState }) => {
        const why = lastState?.terminated?.reason ?? "unknown reason";
        return `${metadata.name}, ${name}: ${restartCount} times, the last time after ${why}`;
      }),
  );
}
