import { messageOf, printableLine } from "@grpc-lb/core";
import { Command, CommanderError, Option } from "commander";
import type { Flag } from "./flags.ts";

/** A program's name, summary and flags. Flags are keyed by camelCase names: `httpPort` is `--http-port`, HTTP_PORT. */
export interface ProgramSpec<F extends Record<string, Flag<unknown>>> {
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
  /** Variables of other programs that are easily taken for one of this program's flags: set without it, they are an error. */
  readonly mistaken?: Readonly<Record<string, keyof F & string>>;
}

/** The values of a program's flags. */
export type FlagValues<F extends Record<string, Flag<unknown>>> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** What a command line means: run with these values, show the help, or exit with this message. */
export type ParsedFlags<F extends Record<string, Flag<unknown>>> =
  | { readonly t: "run"; readonly values: FlagValues<F> }
  | { readonly t: "help"; readonly text: string }
  | { readonly t: "wrong"; readonly message: string };

const kebab = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const variableOf = (key: string) => kebab(key).replaceAll("-", "_").toUpperCase();

const wrong = (message: string) => ({ t: "wrong", message: printableLine(message) }) as const;

const maxHelpWidth = 110;

/**
 * Parses a command line: a flag beats its environment variable, which beats the default. A variable that is set but empty
 * counts as not set, so that a manifest may pass a field without a value. The message of a wrong command line is one line.
 *
 * @param columns of the terminal, which the help fits into; it is never wider than 110
 */
export function parseFlags<F extends Record<string, Flag<unknown>>>(
  spec: ProgramSpec<F>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  columns = maxHelpWidth,
): ParsedFlags<F> {
  const command = createCommand(spec).configureHelp({ helpWidth: Math.min(columns, maxHelpWidth) });
  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { t: "help", text: command.helpInformation() };
    const reason = error.message.replace(/^error: /, "").replace(/\.$/, "");
    if (error.code === "commander.unknownOption") {
      const [, name] = /'(--[^'=]+)=/.exec(reason) ?? [];
      const known = command.createHelp().visibleOptions(command);
      if (known.some(({ long }) => long === name)) return wrong(`${spec.name}: ${name} takes no value; leave =… out`);
    }
    // A value given to an unknown option may be a secret.
    const named = error.code === "commander.unknownOption" ? reason.replace(/'(--[^'=]+)=.*'/s, "'$1'") : reason;
    return wrong(`${spec.name}: ${named}; --help lists the flags`);
  }

  const given = command.opts<Record<string, string | true>>();
  for (const [mistaken, key] of Object.entries(spec.mistaken ?? {})) {
    const variable = variableOf(key);
    if (env[mistaken] && !env[variable] && given[key] === undefined)
      return wrong(`${spec.name}: ${mistaken} is not a variable of this program; set ${variable}`);
  }
  const values: Record<string, unknown> = {};
  const originOf = (key: string) =>
    given[key] === undefined && env[variableOf(key)] ? variableOf(key) : `--${kebab(key)}`;
  for (const [key, flag] of Object.entries(spec.flags)) {
    const fromEnv = env[variableOf(key)] || undefined;
    const text = given[key] ?? fromEnv;
    try {
      values[key] = text === undefined ? flag.default : text === true ? true : flag.parse(text);
    } catch (error) {
      return wrong(`${spec.name}: ${originOf(key)} ${messageOf(error)}`);
    }
  }
  const keyOfPort = new Map<unknown, string>();
  for (const [key, { isListenPort = false }] of Object.entries(spec.flags)) {
    const port = values[key];
    if (!isListenPort || typeof port !== "number" || port === 0) continue;
    const other = keyOfPort.get(port);
    if (other !== undefined) {
      return wrong(`${spec.name}: ${originOf(key)} must differ from ${originOf(other)}, got ${port} for both`);
    }
    keyOfPort.set(port, key);
  }
  return { t: "run", values: values as FlagValues<F> };
}

/** The command line in commander's terms. It writes nothing and exits never: `parseFlags` returns what there is to write. */
function createCommand(spec: ProgramSpec<Record<string, Flag<unknown>>>): Command {
  const command = new Command(spec.name).description(spec.summary).exitOverride();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  command.helpOption("-h, --help", "show this help");
  for (const [key, flag] of Object.entries(spec.flags)) {
    const value = flag.metavar === undefined ? "" : ` <${flag.metavar}>`;
    const facts = `(default: ${flag.defaultText}, env: ${variableOf(key)})`;
    const option = new Option(`--${kebab(key)}${value}`, `${flag.help} ${facts}`);
    if (flag.isRepeatable)
      option.argParser<string>((text, before) => (before === undefined ? text : `${before} ${text}`));
    command.addOption(option);
  }
  return command;
}
