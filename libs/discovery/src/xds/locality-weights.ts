import type { Endpoint } from "../core/snapshot.ts";

/** A locality of one priority: its weight, undefined for none, and its endpoints that take calls. */
export interface WeightedLocality {
  readonly weight: number | undefined;
  readonly endpoints: Endpoint[];
}

/**
 * The endpoints of one priority, weighted so that each locality takes its share and divides it by the weights of its endpoints: the
 * weight of an endpoint is that of its locality × its own ÷ the sum in its locality. Where localities have weights, one without, or of
 * weight 0, gets no calls (gRFC A27). Where none has, or where one gets all calls, the weights of endpoints count alone.
 */
export function shareByLocality(localities: readonly WeightedLocality[]): readonly Endpoint[] {
  const isWeighted = localities.some(({ weight }) => weight !== undefined);
  const used = localities.filter(({ weight = 0, endpoints }) => endpoints.length > 0 && (!isWeighted || weight > 0));
  if (!isWeighted || used.length < 2) return used.flatMap(({ endpoints }) => endpoints);
  return used.flatMap(({ weight: share = 0, endpoints }) => {
    const sum = endpoints.reduce((total, { weight }) => total + weight, 0);
    const factor = sum > 0 ? share / sum : 0;
    return factor === 1 ? endpoints : endpoints.map((each) => ({ ...each, weight: each.weight * factor }));
  });
}
