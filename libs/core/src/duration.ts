const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest wait a Node timer can hold; a longer one would fire at once. About 24.8 days. */
export const maxDurationMs = 2 ** 31 - 1;

/**
 * Reads a duration as flags and targets write it: a number and a unit, `300ms`, `1.5s`, `5m`, `2h`. A bare number is
 * refused because its unit would be a guess; `0` alone needs none.
 *
 * @returns whole milliseconds
 * @throws RangeError with what was expected and what was got
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const unit = unitMs[match?.[2] ?? ""];
  if (!match || unit === undefined) throw new RangeError(`must be a duration such as 300ms, 5s or 2m, got "${text}"`);
  const ms = Math.round(Number(match[1]) * unit);
  if (ms > maxDurationMs) throw new RangeError(`must be at most ${formatDuration(maxDurationMs)}, got "${text}"`);
  return ms;
}

/** Writes milliseconds the way `parseDuration` reads them, in the largest unit that keeps the number whole. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const unit of ["h", "m", "s"]) {
    const size = unitMs[unit] ?? 1;
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
