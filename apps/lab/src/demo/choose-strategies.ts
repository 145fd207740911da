import { type RegistryName, whyNoRegistry } from "./registries/registry.ts";
import type { Strategy } from "./strategies.ts";

/** A strategy that was chosen and cannot be shown on this machine. */
export interface SkippedStrategy {
  readonly name: string;
  /** Why, and what to do about it. */
  readonly reason: string;
}

/** Those that are shown when nobody chose: four, which stand side by side and need nothing but Node. */
const shownAtFirst = 4;

/**
 * Picks strategies by their names, with commas between them, in the order of `all`; "all" is every one and undefined the first
 * four.
 *
 * @throws RangeError that lists the names there are
 */
export function chooseStrategies(all: readonly Strategy[], text: string | undefined): readonly Strategy[] {
  if (text === undefined) return all.slice(0, shownAtFirst);
  if (text === "all") return all;
  const names = text.split(",").map((name) => name.trim());
  const known = all.map(({ name }) => name);
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw new RangeError(`--strategies (STRATEGIES) must be all or of ${known.join(", ")}, got "${wrong}"`);
  return all.filter(({ name }) => names.includes(name));
}

/** Parts those that can be shown from those whose registry is not on this machine. */
export async function skipUnavailable(
  chosen: readonly Strategy[],
  whyNot: (name: RegistryName) => Promise<string | undefined> = whyNoRegistry,
): Promise<{ readonly strategies: readonly Strategy[]; readonly skipped: readonly SkippedStrategy[] }> {
  const reasons = await Promise.all(chosen.map(({ registry }) => registry && whyNot(registry)));
  return {
    strategies: chosen.filter((_, i) => reasons[i] === undefined),
    skipped: chosen.flatMap(({ name }, i) => {
      const reason = reasons[i];
      return reason === undefined ? [] : [{ name, reason: `${reason}; make doctor says how to get it` }];
    }),
  };
}

/** Sentences without a full stop, one for each. */
export function describeSkipped(skipped: readonly SkippedStrategy[]): string {
  return skipped.map(({ name, reason }) => `${name} is skipped: ${reason}`).join("; ");
}
