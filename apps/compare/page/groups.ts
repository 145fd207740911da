import type { PagePod } from "./protocol.ts";

/** The pods of a node. */
export interface PodGroup {
  /** The zone and the node; empty when neither is known. */
  readonly name: string;
  /** The same without the domain of the node. */
  readonly title: string;
  readonly pods: readonly PagePod[];
}

/** Groups pods by zone and node, in the order of the names; pods without a place come last. */
export function groupPods(pods: readonly PagePod[]): readonly PodGroup[] {
  return groupBy(pods, ({ zone, node }) => [zone, node]);
}

/** The same by zone alone. The pods of a node stay side by side. */
export function groupByZone(pods: readonly PagePod[]): readonly PodGroup[] {
  const byNode = groupPods(pods).flatMap(({ pods: members }) => members);
  return groupBy(byNode, ({ zone }) => [zone]);
}

function groupBy(pods: readonly PagePod[], placeOf: (pod: PagePod) => readonly string[]): readonly PodGroup[] {
  const join = (parts: readonly string[]) => parts.filter(Boolean).join(" · ");
  const groups = Map.groupBy(pods, (pod) => join(placeOf(pod)));
  const byName = ([a]: [string, unknown], [b]: [string, unknown]) =>
    a === "" ? 1 : b === "" ? -1 : a.localeCompare(b, "en", { numeric: true });
  return [...groups].sort(byName).map(([name, members]) => {
    const title = join(placeOf(members[0] as PagePod).map(withoutDomain));
    return { name, title, pods: members };
  });
}

/** `ip-10-0-12-3` of `ip-10-0-12-3.eu-west-1.compute.internal`; an address stays. */
const withoutDomain = (place: string) => place.replace(/^([^.]*[a-z][^.]*)\..*$/i, "$1");
