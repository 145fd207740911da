import type { Flag } from "./flags.ts";

/** Several values of another flag: given more than once, or parted by spaces, which is how the environment variable has them. */
export function listFlag<T>(of: Pick<Flag<T>, "metavar" | "help" | "parse">): Flag<readonly T[]> {
  return {
    ...of,
    help: `${of.help}; may be given more than once`,
    default: [],
    defaultText: "none",
    isRepeatable: true,
    parse(text) {
      const values = text.split(/\s+/).filter(Boolean);
      if (values.length === 0) throw new RangeError("must not be empty");
      return values.map((value) => of.parse(value));
    },
  };
}
