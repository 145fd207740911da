import type { PagePod } from "./protocol.ts";

/** The pods of a node. */
export interface PodGroup {
  /** The zone and the node; empty when neither is known. */
  readonly name: string;
  readonly pods: readonly PagePod[];
}

/** Groups pods by zone and node, in the order of the names; pods without a place come last. */
export function groupPods(pods: readonly PagePod[]): readonly PodGroup[] {
  const groups = Map.groupBy(pods, ({ zone, node }) => [zone, node].filter(Boolean).join(" · "));
  const byName = ([a]: [string, unknown], [b]: [string, unknown]) =>
    a === "" ? 1 : b === "" ? -1 : a.localeCompare(b, "en", { numeric: true });
  return [...groups].sort(byName).map(([name, members]) => ({ name, pods: members }));
}
