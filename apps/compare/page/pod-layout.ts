import { groupByZone, groupPods, type PodGroup } from "./groups.ts";
import type { PagePod } from "./protocol.ts";

/** How the pods of a panel are shown when they have no rows of their own. */
export interface PodLayout {
  readonly isSmall: boolean;
  readonly groups: readonly PodGroup[];
}

/** What pods.css and panel.css make of a panel at 1280x720, where panels stand in two columns; in pixels. */
interface Sizes {
  /** Of the place for the pods. */
  readonly width: number;
  readonly pod: { readonly width: number; readonly height: number; readonly gap: number };
  readonly title: { readonly height: number; readonly letter: number };
  readonly groupGap: { readonly x: number; readonly y: number };
}

const large: Sizes = {
  width: 300,
  pod: { width: 28, height: 62, gap: 3 },
  title: { height: 19, letter: 8 },
  groupGap: { x: 10, y: 4 },
};
const small: Sizes = {
  width: 374,
  pod: { width: 22, height: 26, gap: 2 },
  title: { height: 13, letter: 7.5 },
  groupGap: { x: 10, y: 2 },
};
/** The height of that place when panels stand in one row, and in two. */
const heights = { oneRow: 410, twoRows: 164 };

/**
 * Chooses the size of pods and how they are grouped, so that a panel fits on a projector: by zone and node, else by zone, else not.
 * Large pods are read from the last row, so small ones come after the zones.
 *
 * @param isTall whether panels stand in one row
 */
export function choosePodLayout(pods: readonly PagePod[], isTall: boolean): PodLayout {
  const height = isTall ? heights.oneRow : heights.twoRows;
  const [byNode, byZone] = [groupPods(pods), groupByZone(pods)];
  const all = { name: "", title: "", pods: byZone.flatMap(({ pods: members }) => members) };
  const zones = byZone.some(({ name }) => name !== "") ? [byZone] : [];
  const sized = (isSmall: boolean, groupings: readonly (readonly PodGroup[])[]) =>
    groupings.map((groups) => ({ isSmall, groups }));
  const last = { isSmall: true, groups: [all] };
  const layouts = [...sized(false, [byNode, ...zones]), ...sized(true, [byNode, ...zones]), ...sized(false, [[all]])];
  const fits = ({ isSmall, groups }: PodLayout) => heightOf(groups, isSmall ? small : large) <= height;
  return layouts.find(fits) ?? last;
}

/** How high groups are that wrap, and whose pods wrap. */
function heightOf(groups: readonly PodGroup[], { width, pod, title, groupGap }: Sizes): number {
  const perRow = Math.floor((width + pod.gap) / (pod.width + pod.gap));
  let [above, rowHeight, x] = [0, 0, 0];
  for (const group of groups) {
    const lines = Math.ceil(group.pods.length / perRow);
    const height = lines * (pod.height + pod.gap) - pod.gap + (group.title === "" ? 0 : title.height);
    const podsWidth = Math.min(group.pods.length, perRow) * (pod.width + pod.gap) - pod.gap;
    const groupWidth = Math.min(width, Math.max(podsWidth, group.title.length * title.letter));
    if (x > 0 && x + groupWidth > width) {
      above += rowHeight + groupGap.y;
      [rowHeight, x] = [0, 0];
    }
    rowHeight = Math.max(rowHeight, height);
    x += groupWidth + groupGap.x;
  }
  return above + rowHeight;
}
