/** What programs take: flags, variables, and the names that these accept. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a command starts. */
export interface Program {
  /** Relative to the repository. */
  readonly file: string;
  /** Its first arguments: `inject`. */
  readonly args: readonly string[];
}

/** What a program takes. */
export interface Inputs {
  readonly flags: ReadonlySet<string>;
  readonly variables: ReadonlySet<string>;
  /** The names that a flag or a variable accepts, where the help lists them. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/** Reads what `--help` shows; of a program without it, such as most benchmarks, what its source names. */
export async function readInputs(root: string, { file, args }: Program): Promise<Inputs> {
  const source = readFileSync(join(root, file), "utf8");
  const read = [...source.matchAll(/\benv(?:\.|: \{ )([A-Z][A-Z0-9_]+)/g)].map(([, name = ""]) => name);
  if (!source.includes("runProgram(") && !source.includes("runClient(")) {
    const keys = [...source.matchAll(/(?:^|[\s{"(])([a-z][\w-]*)"?(?:: [{"]|", \d)|--([\w-]+)/gm)];
    const flags = keys.map(([, key, flag]) => `--${key ?? flag}`);
    return { flags: new Set(flags), variables: new Set(read), names: new Map() };
  }
  return parseHelp(await runHelp(root, [file, ...args]), read);
}

function parseHelp(help: string, read: readonly string[]): Inputs {
  const [flags, variables, names] = [new Set<string>(), new Set(read), new Map<string, readonly string[]>()];
  for (const option of help.split(/\n(?= +-)/)) {
    const text = option.replaceAll(/\s+/g, " ");
    const [, flag, metavar] = /^ (?:-h, )?(--[\w-]+)(?: <(\w+)>)?/.exec(text) ?? [];
    if (flag === undefined) continue;
    flags.add(flag);
    const [, variable] = /\benv: ([A-Z][A-Z0-9_]*)\)/.exec(text) ?? [];
    if (variable !== undefined) variables.add(variable);
    const [, list] = /^name/.test(metavar ?? "") ? (/.*: ([\w-]+(?:, [\w-]+)+)(?:;| \(default)/.exec(text) ?? []) : [];
    for (const key of [flag, variable]) if (key !== undefined && list !== undefined) names.set(key, list.split(", "));
  }
  return { flags, variables, names };
}

/** The first name in a value that none of the programs accepts, as an error. */
export function findWrongName(programs: readonly Inputs[], key: string, value: string): string[] {
  const lists = programs.map(({ names }) => names.get(key));
  const known = lists.flatMap((list) => list ?? []);
  if (lists.includes(undefined) || value.includes("$")) return [];
  const given = value.replaceAll(/\{.*?\}(?=,|$)/g, "").split(",");
  const wrong = given.find((name) => !["all", "…", ...known].includes(name));
  return wrong === undefined ? [] : [`${key} does not accept ${wrong}`];
}

function runHelp(root: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...words, "--help"], { cwd: root, timeout: 60_000 }, (error, stdout) => {
      if (error) reject(new Error(`${words.join(" ")} --help: ${error.message}`));
      else resolve(stdout);
    });
  });
}
