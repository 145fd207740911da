import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Assignment, type Command, isAssignment, parseAssignment } from "./commands.ts";
import { findWrongName, type Inputs, type Program, readInputs } from "./program-inputs.ts";

/** Programs of others: that they exist, and what they take, is not known here. */
const foreign =
  /^(?:awk|cd|curl|cut|docker|echo|etcd|export|for|grep|grpcurl|istioctl|kind|kubectl|rm|sed|sleep|sort|tail|tar|true|uniq)$/;
/** Flags of others that sentences name, and whose they are. */
const foreignFlags = new Map([
  ["--legacy-peer-deps", "npm"],
  ["--max", "kubectl autoscale"],
  ["--test", "node"],
]);
/** Read as `process.env[name.toUpperCase()]`: where a program of others is. */
const programVariables = ["ENVOY", "GO", "HAPROXY", "NGINX"];
const npmCommands = ["ci", "dedupe", "init", "install", "ls", "pack"];

/**
 * Checks that what commands name exists: targets and variables of the Makefile, flags and variables of programs as their `--help`
 * shows them, workspaces, scripts and paths.
 *
 * @returns the errors, each with the page and its line
 */
export class CommandChecker {
  readonly #root: string;
  readonly #makefile: string;
  readonly #inputs = new Map<string, Promise<Inputs>>();
  #programs: readonly Program[] | undefined;
  #sources: string | undefined;

  constructor(root: string) {
    this.#root = root;
    this.#makefile = readFileSync(join(root, "Makefile"), "utf8");
  }

  /** @param files the whole files of the command's page, by name */
  async check(command: Command, files: ReadonlySet<string>): Promise<string[]> {
    const errors = await this.#errorsOf(command, files);
    return errors.map((error) => `${command.page}:${command.line}: ${error}`);
  }

  async #errorsOf({ page, env, words }: Command, files: ReadonlySet<string>): Promise<string[]> {
    const [name = "", ...rest] = words;
    if (name === "") return this.#checkVariables(env);
    if (name.startsWith("--")) return (await Promise.all(words.map((word) => this.#checkFlag(word)))).flat();
    if (name === "make") return this.#checkMake(env, rest);
    if (name === "npm") return this.#checkNpm(page, env, rest);
    if (name === "npx") return rest[0] === "nx" || rest[0] === "esbuild" ? [] : [`npx ${rest[0]} is not installed`];
    if (basename(name) === "node") return this.#checkNode(env, rest, files);
    if (name === "sh") return this.#checkPath(rest[0] ?? "", files);
    if (!foreign.test(name)) return [`unknown command ${name}`];
    if (name === "kubectl" && rest[0] === "set" && rest[1] === "env") return this.#checkSetEnv(rest.slice(2));
    if (name === "docker" && rest[0] === "run") return this.#checkImage(rest);
    return [];
  }

  async #checkMake(env: readonly Assignment[], words: readonly string[]): Promise<string[]> {
    const given = [...env, ...words.filter(isAssignment).map(parseAssignment)];
    const targets = words.filter((word) => !isAssignment(word) && word !== "…");
    const errors: string[] = [];
    let recipes = "";
    for (const target of targets) {
      const rule = /^[a-z0-9-]+$/.test(target) && new RegExp(`^${target}:.*\\n(?:\\t.*\\n)*`, "m").exec(this.#makefile);
      if (rule) recipes += rule[0];
      else errors.push(`the Makefile has no target ${target}`);
    }
    if (errors.length > 0) return errors;
    const inputs = await Promise.all(programsOf(recipes).map((program) => this.#inputsOf(program)));
    const what = `make ${targets.join(" ")}`;
    for (const each of given) {
      if (each.name === "ARGS" && recipes.includes("$$ARGS"))
        errors.push(...checkFlags(what, inputs, each.value.split(" ")));
      else if (!recipes.includes(`$$${each.name}`) && !programVariables.includes(each.name))
        errors.push(...checkVariable(what, inputs, each));
    }
    return errors;
  }

  async #checkNpm(page: string, env: readonly Assignment[], words: readonly string[]): Promise<string[]> {
    const end = words.indexOf("--");
    const [own, args] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
    const at = own.indexOf("-w");
    const workspace = at < 0 ? undefined : (own[at + 1] ?? "");
    const [first = "", second = ""] = own.filter((word, n) => !word.startsWith("-") && (at < 0 || n !== at + 1));
    if (npmCommands.includes(first)) return [];
    const script = first === "run" ? second : first;
    const folder = workspace ?? dirname(page);
    const manifest = join(this.#root, folder, "package.json");
    if (!existsSync(manifest)) {
      // The examples have their scripts; a page about all of them names what each has.
      return page.startsWith("examples/") && /^(?:start|test)$/.test(script) ? [] : [`${folder} is no workspace`];
    }
    const text: string | undefined = JSON.parse(readFileSync(manifest, "utf8")).scripts?.[script];
    if (text === undefined) return [`${folder} has no script ${script}`];
    if (workspace === undefined) return [];
    return this.#checkInputs({ file: join(folder, fileOf(text)), args: [] }, env, args);
  }

  async #checkNode(
    env: readonly Assignment[],
    words: readonly string[],
    files: ReadonlySet<string>,
  ): Promise<string[]> {
    const at = words.findIndex((word) => !word.startsWith("-"));
    const [path = ""] = words.slice(at);
    const unknown = words
      .slice(0, at)
      .filter((flag) => !process.allowedNodeEnvironmentFlags.has(flag) && !foreignFlags.has(flag))
      .map((flag) => `node has no flag ${flag}`);
    const missing = this.#checkPath(path, files);
    if (unknown.length + missing.length > 0 || files.has(path) || /[*]/.test(path)) return [...unknown, ...missing];
    return this.#checkInputs({ file: path, args: [] }, env, words.slice(at + 1));
  }

  /** A path of the repository, a glob of such, a file of the page, or a file of the kit. */
  #checkPath(path: string, files: ReadonlySet<string>): string[] {
    if (files.has(path)) return [];
    const inRepository = path.replace(/^grpc-lb-kit\//, "k8s/kit/");
    return globSync(inRepository, { cwd: this.#root }).length > 0 ? [] : [`there is no file ${path}`];
  }

  async #checkSetEnv(words: readonly string[]): Promise<string[]> {
    const apps = words.flatMap((word) => /^deployment\/(\S+)$/.exec(word)?.[1] ?? []);
    const names = words.flatMap((word) => /^([A-Z][A-Z0-9_]*)(?:=.*|-)$/s.exec(word)?.[1] ?? []);
    const errors: string[] = [];
    for (const app of apps) {
      const file = `apps/${app}/src/main.ts`;
      if (!existsSync(join(this.#root, file))) continue; // a Deployment of the page
      const { variables } = await this.#inputsOf({ file, args: [] });
      const unknown = names.filter((name) => !variables.has(name) && !this.#isRead(name));
      errors.push(...unknown.map((name) => `${app} has no variable ${name}`));
    }
    return errors;
  }

  async #checkImage(words: readonly string[]): Promise<string[]> {
    const at = words.findIndex((word) => word.startsWith("grpc-lb/"));
    if (at < 0) return [];
    const [, app = "", tag] = /^grpc-lb\/([\w-]+):(.*)$/.exec(words[at] ?? "") ?? [];
    const file = `apps/${app}/src/main.ts`;
    const { version } = JSON.parse(readFileSync(join(this.#root, "package.json"), "utf8"));
    if (!existsSync(join(this.#root, file)) || tag !== version) return [`there is no image ${words[at]}`];
    return this.#checkInputs({ file, args: [] }, [], words.slice(at + 1));
  }

  async #checkInputs(program: Program, env: readonly Assignment[], args: readonly string[]): Promise<string[]> {
    const inputs = [await this.#inputsOf(program)];
    return [
      ...checkFlags(program.file, inputs, args),
      ...env.flatMap((each) => checkVariable(program.file, inputs, each)),
    ];
  }

  /** A flag in a sentence is one of some program here. */
  async #checkFlag(word: string): Promise<string[]> {
    const [flag] = /^--[\w-]+/.exec(word) ?? [];
    if (flag === undefined || foreignFlags.has(flag) || process.allowedNodeEnvironmentFlags.has(flag)) return [];
    for (const program of this.#listPrograms()) if ((await this.#inputsOf(program)).flags.has(flag)) return [];
    return [`no program has a flag ${flag}`];
  }

  /** A variable in a sentence is one of some program here, or one that the code reads. */
  async #checkVariables(env: readonly Assignment[]): Promise<string[]> {
    const inputs: Inputs[] = [];
    // One after the other, because each of them is a process.
    for (const program of this.#listPrograms()) inputs.push(await this.#inputsOf(program));
    return env.flatMap(({ name, value }) => {
      const takers = inputs.filter(({ variables }) => variables.has(name));
      if (takers.length > 0) return findWrongName(takers, name, value);
      const isKnown = /[a-z]/.test(name) || programVariables.includes(name) || this.#isRead(name); // small letters: the shell's
      return isKnown ? [] : [`no program has a variable ${name}`];
    });
  }

  /** Whether the code, a recipe or a script reads a variable of the environment. */
  #isRead(name: string): boolean {
    return new RegExp(`(?:\\benv\\.|[{,] |\\$\\{?)${name}\\b`).test(this.#readSources());
  }

  /** What the Makefile and the apps' scripts start, and the benchmarks. */
  #listPrograms(): readonly Program[] {
    if (this.#programs) return this.#programs;
    const scripts = globSync("apps/*/package.json", { cwd: this.#root }).flatMap((manifest) => {
      const { scripts = {} } = JSON.parse(readFileSync(join(this.#root, manifest), "utf8"));
      return Object.values<string>(scripts).map((script) => join(dirname(manifest), fileOf(script)));
    });
    const benchmarks = globSync("{apps/*,k8s,libs/*}/bench/*.bench.ts", { cwd: this.#root });
    const files = [...scripts, ...benchmarks].map((file) => ({ file, args: [] }));
    this.#programs = [...files, ...programsOf(this.#makefile)];
    return this.#programs;
  }

  #readSources(): string {
    this.#sources ??= globSync(["Makefile", "{.ci,apps,k8s,libs}/**/*.{ts,sh}"], {
      cwd: this.#root,
      exclude: ["**/node_modules/**", "**/dist/**", "**/out/**", ".ci/docs/**"],
    })
      .map((file) => readFileSync(join(this.#root, file), "utf8"))
      .join("\n");
    return this.#sources;
  }

  #inputsOf(program: Program): Promise<Inputs> {
    const key = [program.file, ...program.args].join(" ");
    const known = this.#inputs.get(key) ?? readInputs(this.#root, program);
    this.#inputs.set(key, known);
    return known;
  }
}

/** Checks the flags of a command, and the names that they get, against what one of its programs takes. */
function checkFlags(what: string, inputs: readonly Inputs[], words: readonly string[]): string[] {
  return words.flatMap((word, at) => {
    const [, flag, given] = /^(--[\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (flag === undefined) return [];
    const takers = inputs.filter(({ flags }) => flags.has(flag));
    if (takers.length === 0) return [`${what} has no flag ${flag}`];
    return findWrongName(takers, flag, given ?? words[at + 1] ?? "");
  });
}

function checkVariable(what: string, inputs: readonly Inputs[], { name, value }: Assignment): string[] {
  const takers = inputs.filter(({ variables }) => variables.has(name));
  if (takers.length > 0) return findWrongName(takers, name, value);
  return [`${what} has no variable ${name}`];
}

/** The programs that recipes start. */
function programsOf(recipes: string): Program[] {
  return [...recipes.matchAll(/\$\(NODE\) ([\w./-]+\.ts)(.*)/g)].map(([, file = "", rest = ""]) => ({
    file,
    args: rest.split(" ").filter((word) => /^\w/.test(word)),
  }));
}

/** The file that a script runs: `exec node src/main.ts`. */
const fileOf = (script: string): string => /node (\S+\.ts)/.exec(script)?.[1] ?? "";
