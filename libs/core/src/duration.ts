const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest wait of a Node timer, about 24.8 days; with a longer one the timer fires at once. */
export const maxDurationMs = 2 ** 31 - 1;

/**
 * Parses a duration of a flag or a target: a number and a unit, `300ms`, `1.5s`, `5m`, `2h`. A number without a unit is an
 * error, except `0`.
 *
 * @returns whole milliseconds
 * @throws RangeError with the expected form and the text
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

/** Formats milliseconds as `parseDuration` parses them, in the largest unit that keeps the number whole. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const unit of ["h", "m", "s"]) {
    const size = unitMs[unit] ?? 1;
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
