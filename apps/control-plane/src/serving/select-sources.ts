import type { PrioritizedEndpoints } from "../resources/endpoints.ts";

/** The endpoints of a source that has answered. */
export interface SourceEndpoints extends PrioritizedEndpoints {
  readonly target: string;
}

/** A source of a service as it is configured, and what is known of it. */
export interface SourceState extends Omit<SourceEndpoints, "endpoints"> {
  /** Undefined until it has answered. */
  readonly endpoints: SourceEndpoints["endpoints"] | undefined;
  /** Whether it has not answered, and had the time for it. */
  readonly isOverdue: boolean;
}

/**
 * The sources whose endpoints are served.
 *
 * Those of a service that has none yet wait for each other: until all have answered, or those that have not are overdue. Then each
 * priority is served whose sources have all answered: never a part of one, and no empty set while there may be endpoints in others.
 *
 * A service that had other sources keeps the endpoints of those that have left until all new ones have answered, or are overdue and
 * those of the priority that takes their place have all answered. Its sources that stay remain current.
 *
 * @param before those that are served now; undefined for none yet
 * @returns undefined while nothing can be served
 */
export function selectSources(
  sources: readonly SourceState[],
  before: readonly SourceEndpoints[] | undefined,
): readonly SourceEndpoints[] | undefined {
  const known = sources.flatMap(({ target, priority, endpoints, drops }) =>
    endpoints ? [{ target, priority, endpoints, drops }] : [],
  );
  if (known.length === sources.length) return known;
  const isWaiting = sources.some(({ endpoints, isOverdue }) => !endpoints && !isOverdue);
  const isComplete = (wanted: number) => sources.every(({ priority, endpoints }) => priority !== wanted || endpoints);
  if (!before) {
    const whole = known.filter(({ priority }) => isComplete(priority));
    return isWaiting || whole.every(({ endpoints }) => endpoints.length === 0) ? undefined : whole;
  }
  const wasServed = (one: SourceEndpoints) =>
    before.some(({ target, priority }) => target === one.target || priority === one.priority);
  const current = known.filter((one) => isComplete(one.priority) || wasServed(one));
  const priorities = sources.map(({ priority }) => priority).sort((a, b) => a - b);
  const heirOf = (left: number) => priorities.find((priority) => priority >= left) ?? (priorities.at(-1) as number);
  const kept = before.filter(
    ({ target, priority }) =>
      !known.some((one) => one.target === target) && (isWaiting || !isComplete(heirOf(priority))),
  );
  return [...current, ...kept];
}
