/** The fields of an API pod that are used here. */
export interface ApiServerPod {
  readonly metadata: {
    readonly name: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** A pod as the live page has it. */
export interface LivePod {
  readonly pod: string;
  readonly state: "added" | "ready" | "unready" | "draining" | "gone";
  readonly node: string;
  readonly zone: string;
}

/** @param wasReady whether the pod was ready before: one that is not ready any more is not a new one */
export function describePod({ metadata, spec, status }: ApiServerPod, wasReady: boolean): LivePod {
  const isReady = status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
  const hasEnded = status?.phase === "Succeeded" || status?.phase === "Failed";
  const waiting = wasReady ? "unready" : "added";
  const state = hasEnded ? "gone" : metadata.deletionTimestamp !== undefined ? "draining" : isReady ? "ready" : waiting;
  const zone = metadata.labels?.["topology.kubernetes.io/zone"] ?? "";
  return { pod: metadata.name, state, node: spec?.nodeName ?? "", zone };
}

/** What a list of pods changes in the pods that are known: their states, and those that are not there any more. */
export function reconcile(known: ReadonlyMap<string, LivePod>, items: readonly ApiServerPod[]): readonly LivePod[] {
  const now = items.map((item) => describePod(item, hasBeenReady(known.get(item.metadata.name))));
  const names = new Set(now.map(({ pod }) => pod));
  const left = [...known.values()].filter(({ pod, state }) => state !== "gone" && !names.has(pod));
  return [...left.map((pod) => ({ ...pod, state: "gone" as const })), ...now];
}

/** Whether a pod was ready at some time. */
export const hasBeenReady = (pod: LivePod | undefined) => pod !== undefined && pod.state !== "added";
