import { isIP } from "node:net";
import { formatDuration, messageOf, parseDuration, requireFileName } from "@grpc-lb/core";

/** One flag of a program: how its text is parsed, and what the help shows. */
export interface Flag<T> {
  /** The name of the value in the help; a flag without one is a switch. */
  readonly metavar?: string;
  /** What it does, in one sentence without a full stop. */
  readonly help: string;
  readonly default: T;
  /** The default as the help shows it, written as a user would write the value. */
  readonly defaultText: string;
  /** Whether it may be given more than once; `parse` then gets all values, separated by spaces. Default: false. */
  readonly isRepeatable?: boolean;
  /** Whether it is a port that the program listens on: two such flags of a program must differ, unless they are 0. Default: false. */
  readonly isListenPort?: boolean;
  /** Parses the value; throws an error whose message continues "--the-flag …". */
  parse(text: string): T;
}

type Options<T> = { readonly help: string; readonly default: T; readonly defaultText?: string };

/** Any text that is not empty. */
export function textFlag(options: Options<string> & { readonly metavar?: string }): Flag<string> {
  return {
    metavar: options.metavar ?? "text",
    help: options.help,
    default: options.default,
    defaultText: options.defaultText ?? (options.default || "none"),
    parse(text) {
      if (text.trim() === "") throw new RangeError("must not be empty");
      return text;
    },
  };
}

/** The name of a file. The content of one, as of `"$(cat key.pem)"`, is an error that does not repeat it: it may be a secret. */
export function fileFlag(options: Omit<Options<string>, "default">): Flag<string> {
  const text = textFlag({ ...options, metavar: "file", default: "" });
  return {
    ...text,
    parse(value) {
      requireFileName(value);
      return text.parse(value);
    },
  };
}

/** A whole number of at least `min` and at most `max`. */
export function integerFlag(
  options: Options<number> & { readonly min: number; readonly max?: number; readonly metavar?: string },
): Flag<number> {
  const max = options.max ?? Number.MAX_SAFE_INTEGER;
  return {
    metavar: options.metavar ?? "number",
    help: options.help,
    default: options.default,
    defaultText: options.defaultText ?? String(options.default),
    parse(text) {
      const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (value >= options.min && value <= max) return value;
      const namesMax = options.max !== undefined || value > max;
      const range = namesMax ? `from ${options.min} to ${max}` : `of at least ${options.min}`;
      throw new RangeError(`must be a whole number ${range}, got "${text}"`);
    },
  };
}

/** A decimal number such as `0.25` or `3`: from `min`, or greater than `above`, to `max`. */
export function numberFlag(
  options: { readonly help: string; readonly default: number } & (
    | { readonly min: number; readonly max: number }
    | { readonly above: number; readonly max: number }
  ),
): Flag<number> {
  const { max } = options;
  const bounds =
    "above" in options
      ? { range: `above ${options.above} and at most ${max}`, holds: (value: number) => value > options.above }
      : { range: `from ${options.min} to ${max}`, holds: (value: number) => value >= options.min };
  return {
    metavar: "number",
    help: options.help,
    default: options.default,
    defaultText: String(options.default),
    parse(text) {
      const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      if (!(bounds.holds(value) && value <= max))
        throw new RangeError(`must be a number ${bounds.range}, got "${text}"`);
      return value;
    },
  };
}

/** A TCP port to listen on; 0 lets the system choose a free one. */
export function portFlag(options: Options<number>): Flag<number> {
  return { ...integerFlag({ ...options, metavar: "port", min: 0, max: 65_535 }), isListenPort: true };
}

/** The address to listen on, an IP address or a host name, for `listenHost`. */
export function bindAddressFlag(): Flag<string> {
  const options = { metavar: "address", default: "", defaultText: "every interface" };
  return {
    ...textFlag({ ...options, help: "address to listen on" }),
    parse(text) {
      if (isIP(text) === 0 && !hostName.test(text)) {
        throw new RangeError(`must be an IP address or a host name, without a port, got "${text}"`);
      }
      return text;
    },
  };
}

/** Its last label is not a number, as that of an IPv4 address is. */
const hostName = /^(?:[a-z\d_-]{1,63}\.)*(?!\d+\.?$)[a-z\d_-]{1,63}\.?$/i;

/** A duration in milliseconds, written `300ms`, `5s`, `2m`; at least `minMs` (0), where 0 itself may be allowed by `orZero`. */
export function durationFlag(
  options: Options<number> & { readonly minMs?: number; readonly orZero?: boolean },
): Flag<number> {
  const { minMs = 0, orZero = false } = options;
  return {
    metavar: "duration",
    help: options.help,
    default: options.default,
    defaultText: options.defaultText ?? formatDuration(options.default),
    parse(text) {
      const ms = parseDuration(text);
      if (ms < minMs && !(orZero && ms === 0))
        throw new RangeError(`must be ${orZero ? "0 or " : ""}at least ${formatDuration(minMs)}, got "${text}"`);
      return ms;
    },
  };
}

/** One of the words given. */
export function choiceFlag<const T extends string>(
  options: Options<T> & { readonly choices: readonly T[]; readonly metavar: string },
): Flag<T> {
  return {
    metavar: options.metavar,
    help: `${options.help}: ${options.choices.join(", ")}`,
    default: options.default,
    defaultText: options.defaultText ?? options.default,
    parse(text) {
      const choice = options.choices.find((word) => word === text);
      if (choice === undefined) throw new RangeError(`must be one of ${options.choices.join(", ")}, got "${text}"`);
      return choice;
    },
  };
}

/** A switch, off unless given; its environment variable takes true or false. */
export function switchFlag(options: { readonly help: string }): Flag<boolean> {
  return {
    help: options.help,
    default: false,
    defaultText: "off",
    parse(text) {
      if (text === "true" || text === "1") return true;
      if (text === "false" || text === "0") return false;
      throw new RangeError(`must be true or false, got "${text}"`);
    },
  };
}

/** Several values of another flag: given more than once, or separated by spaces as in the environment variable. */
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
      return values.map((value, n) => {
        try {
          return of.parse(value);
        } catch (error) {
          if (values.length === 1) throw error;
          const place = `value ${n + 1} of ${values.length}; spaces separate values`;
          throw new RangeError(`${messageOf(error)} (${place})`);
        }
      });
    },
  };
}
