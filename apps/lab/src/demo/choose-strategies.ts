import { type ProgramName, whyUnavailable } from "./programs.ts";
import type { Strategy } from "./strategies.ts";

/** A strategy that was chosen and cannot run on this machine. */
export interface SkippedStrategy {
  readonly name: string;
  /** Why it cannot run, and what to do about it. */
  readonly reason: string;
}

/** The first four need nothing but Node and fit side by side. */
const defaultCount = 4;

/**
 * Chooses strategies by name, in the order of `all`.
 *
 * @param text names separated by commas, or "all". Default: the first four
 * @throws RangeError that lists the known names
 */
export function chooseStrategies(all: readonly Strategy[], text: string | undefined): readonly Strategy[] {
  if (text === undefined) return all.slice(0, defaultCount);
  if (text === "all") return all;
  const names = text.split(",").map((name) => name.trim());
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`--strategies (STRATEGIES) must be all or names of ${known.join(", ")}, got "${unknown}"`);
  }
  return all.filter(({ name }) => names.includes(name));
}

/** Separates the strategies that can run from those whose registry or proxy is not available on this machine. */
export async function skipUnavailable(
  chosen: readonly Strategy[],
  whyNot: (name: ProgramName) => Promise<string | undefined> = whyUnavailable,
): Promise<{ readonly strategies: readonly Strategy[]; readonly skipped: readonly SkippedStrategy[] }> {
  const reasons = await Promise.all(chosen.map(({ program }) => program && whyNot(program)));
  return {
    strategies: chosen.filter((_, i) => reasons[i] === undefined),
    skipped: chosen.flatMap(({ name }, i) => {
      const reason = reasons[i];
      return reason === undefined ? [] : [{ name, reason }];
    }),
  };
}

/** One clause per strategy, without a full stop. */
export function describeSkipped(skipped: readonly SkippedStrategy[]): string {
  return skipped.map(({ name, reason }) => `${name} is skipped: ${reason}`).join("; ");
}
