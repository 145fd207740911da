import type { Flag } from "./flags.ts";

/** A decimal number such as `0.25` or `3`: from `min` to `max`, or `above` a bound that it must not meet. */
export function numberFlag(
  options: { readonly help: string; readonly default: number } & (
    | { readonly min: number; readonly max?: number }
    | { readonly above: number }
  ),
): Flag<number> {
  const bounds =
    "above" in options
      ? { range: `above ${options.above}`, holds: (value: number) => value > options.above }
      : {
          range: options.max === undefined ? `of at least ${options.min}` : `from ${options.min} to ${options.max}`,
          holds: (value: number) => value >= options.min && value <= (options.max ?? Number.MAX_VALUE),
        };
  return {
    metavar: "number",
    help: options.help,
    default: options.default,
    defaultText: String(options.default),
    parse(text) {
      const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      if (!Number.isFinite(value) || !bounds.holds(value))
        throw new RangeError(`must be a number ${bounds.range}, got "${text}"`);
      return value;
    },
  };
}
