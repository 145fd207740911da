import { EncodedLocality } from "./encoded-locality.ts";
import type { BuiltEndpoints } from "./endpoints.ts";

/** A service that takes a part of the calls. */
export interface SplitPart {
  readonly service: string;
  /** Relative to the other parts; 0 for no calls. */
  readonly weight: number;
  readonly built: BuiltEndpoints;
}

/** What the weights of the localities of a priority add up to: fine enough for a part of a thousandth in a hundred zones. */
const sum = 1e6;

/**
 * The endpoints of a split service, for clients that read endpoints and no routes: those of all parts, in localities of their own with the
 * service as sub-zone, weighted so that each part takes its share. A part without endpoints, whose calls would fail by the routes, leaves its share to
 * the others.
 */
export function mergeSplit(parts: readonly SplitPart[]): BuiltEndpoints {
  const used = parts.filter(({ weight, built }) => weight > 0 && built.localities.length > 0);
  const priorities = Math.max(0, ...used.map(({ built }) => (built.localities.at(-1)?.priority ?? 0) + 1));
  const localities = Array.from({ length: priorities }, (_, priority) => mergePriority(used, priority)).flat();
  const total = used.reduce((all, { weight }) => all + weight, 0);
  const fraction = used.reduce((mean, { weight, built }) => mean + (weight / total) * droppedBy(built), 0);
  return { localities, drops: fraction > 0 ? [{ category: "split", fraction }] : [] };
}

function mergePriority(parts: readonly SplitPart[], priority: number): EncodedLocality[] {
  const members = parts.map(({ service, weight, built }) => {
    const own = built.localities.filter((each) => each.priority === priority);
    return { service, weight, own, ownSum: own.reduce((all, { weight }) => all + weight, 0) };
  });
  const total = members.reduce((all, { weight, own }) => all + (own.length > 0 ? weight : 0), 0);
  return members.flatMap(({ service, weight, own, ownSum }) =>
    own.map((locality) => {
      const share = (weight / total) * (locality.weight / ownSum);
      const { zone, lbEndpoints } = locality;
      return new EncodedLocality({
        ...{ zone, subZone: service, priority, lbEndpoints },
        weight: Math.max(1, Math.round(share * sum)),
      });
    }),
  );
}

/** The share of its calls that a part drops. */
const droppedBy = ({ drops }: BuiltEndpoints): number =>
  1 - drops.reduce((kept, { fraction }) => kept * (1 - fraction), 1);
