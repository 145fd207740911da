import { formatDuration, parseDuration } from "@grpc-lb/core";
import { Command, CommanderError, Option } from "commander";

/** One flag of a program: how its text is read, and what stands in the help. */
export interface Flag<T> {
  /** The name of the value in the help; a flag without one is a switch. */
  readonly metavar?: string;
  /** What it does, in one sentence without a full stop. */
  readonly help: string;
  readonly default: T;
  /** The default as the help shows it, written as a user would write the value. */
  readonly defaultText: string;
  /** Whether it may be given more than once; `parse` then gets all that was given, parted by spaces. Default: false. */
  readonly isRepeatable?: boolean;
  /** Reads the value; throws an error whose message continues "--the-flag …". */
  parse(text: string): T;
}

/** What a program is called, does and takes. Flags are keyed by camelCase names: `httpPort` is `--http-port`, HTTP_PORT. */
export interface ProgramSpec<F extends Record<string, Flag<unknown>>> {
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
}

/** The values of a program's flags. */
export type FlagValues<F extends Record<string, Flag<unknown>>> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** What a command line asks for: to run, to show the help, or (wrong) to be told why not. */
export type ParsedFlags<F extends Record<string, Flag<unknown>>> =
  | { readonly t: "run"; readonly values: FlagValues<F> }
  | { readonly t: "help"; readonly text: string }
  | { readonly t: "wrong"; readonly message: string };

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

/** A whole number of at least `min` and at most `max`. */
export function integerFlag(
  options: Options<number> & { readonly min: number; readonly max?: number; readonly metavar?: string },
): Flag<number> {
  const max = options.max ?? Number.MAX_SAFE_INTEGER;
  const range = options.max === undefined ? `of at least ${options.min}` : `from ${options.min} to ${max}`;
  return {
    metavar: options.metavar ?? "number",
    help: options.help,
    default: options.default,
    defaultText: options.defaultText ?? String(options.default),
    parse(text) {
      const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= options.min && value <= max))
        throw new RangeError(`must be a whole number ${range}, got "${text}"`);
      return value;
    },
  };
}

/** A TCP port; 0 lets the system choose a free one. */
export function portFlag(options: Options<number>): Flag<number> {
  return integerFlag({ ...options, metavar: "port", min: 0, max: 65_535 });
}

/** A duration in milliseconds, written `300ms`, `5s`, `2m`; at least `minMs` (0). */
export function durationFlag(options: Options<number> & { readonly minMs?: number }): Flag<number> {
  const minMs = options.minMs ?? 0;
  return {
    metavar: "duration",
    help: options.help,
    default: options.default,
    defaultText: options.defaultText ?? formatDuration(options.default),
    parse(text) {
      const ms = parseDuration(text);
      if (ms < minMs) throw new RangeError(`must be at least ${formatDuration(minMs)}, got "${text}"`);
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

const kebab = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const variableOf = (key: string) => kebab(key).replaceAll("-", "_").toUpperCase();

/** In one line, whatever the user gave. */
const wrong = (message: string) => ({ t: "wrong", message: message.replace(/\s*[\r\n]+\s*/g, " ") }) as const;

/**
 * Reads a command line: a flag beats its environment variable, which beats the default. An environment variable that is
 * set but empty counts as not set, so that a manifest may pass a field which has no value.
 */
export function parseFlags<F extends Record<string, Flag<unknown>>>(
  spec: ProgramSpec<F>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedFlags<F> {
  const command = new Command(spec.name).description(spec.summary).exitOverride();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  command.configureHelp({ helpWidth: 110 });
  command.helpOption("-h, --help", "show this help");
  for (const [key, flag] of Object.entries(spec.flags)) {
    const value = flag.metavar === undefined ? "" : ` <${flag.metavar}>`;
    const facts = `(default: ${flag.defaultText}, env: ${variableOf(key)})`;
    const option = new Option(`--${kebab(key)}${value}`, `${flag.help} ${facts}`);
    if (flag.isRepeatable)
      option.argParser<string>((text, before) => (before === undefined ? text : `${before} ${text}`));
    command.addOption(option);
  }

  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { t: "help", text: command.helpInformation() };
    const reason = error.message.replace(/^error: /, "").replace(/\.$/, "");
    return wrong(`${spec.name}: ${reason}; --help lists the flags`);
  }

  const given = command.opts<Record<string, string | true>>();
  const values: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(spec.flags)) {
    const variable = variableOf(key);
    const fromEnv = env[variable] || undefined;
    const text = given[key] ?? fromEnv;
    try {
      values[key] = text === undefined ? flag.default : text === true ? true : flag.parse(text);
    } catch (error) {
      const who = given[key] === undefined ? variable : `--${kebab(key)}`;
      return wrong(`${spec.name}: ${who} ${(error as Error).message}`);
    }
  }
  return { t: "run", values: values as FlagValues<F> };
}
