import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { getCallSites } from "node:util";

/** A package with a registry, such as grpc-js: a registration in one copy of it is unknown to the others. */
export interface RegistryPackage {
  /** `@grpc/grpc-js` */
  readonly name: string;
  /** The main file of a copy, relative to its folder: `build/src/index.js`. */
  readonly main: string;
  /** Matches a text that each copy contains once, also in a bundle that is minified. */
  readonly marker: RegExp;
}

/** What a process has of a package; tests pass their own. */
export interface Loaded {
  /** The files of CommonJS that were loaded. */
  readonly files: readonly string[];
  /** The file that runs this code: a bundle, where no file of the package was loaded. */
  readonly self: string;
}

type Records = Map<string, Map<object, Set<string>>>;

/** Shared by all copies of this file in a process. */
const recordsKey = Symbol.for("grpc-lb.package-copies");

/**
 * Records that one of our packages uses a copy of a package. The record is of the process, so that it holds whatever was bundled.
 *
 * @param copy an object that only this copy has
 * @returns who uses each of the copies that are used, in the order of their first use
 */
export function recordCopy(name: string, copy: object, user: string): readonly (readonly string[])[] {
  const holder = globalThis as { [recordsKey]?: Records };
  holder[recordsKey] ??= new Map();
  const copies = holder[recordsKey].get(name) ?? new Map<object, Set<string>>();
  holder[recordsKey].set(name, copies);
  copies.set(copy, (copies.get(copy) ?? new Set()).add(user));
  return [...copies.values()].map((users) => [...users]);
}

/**
 * What to warn of when this process has more than one copy of a package with a registry; undefined when one is found. It works, if
 * the channels are of the copy in which our packages are registered.
 *
 * @param used what `recordCopy` returned
 * @param effect what goes wrong: `channels of one do not know …`
 */
export function describeCopies(
  { name, main, marker }: RegistryPackage,
  used: readonly (readonly string[])[],
  effect: string,
  { files, self }: Loaded = whatIsLoaded(),
): string | undefined {
  const warning = (count: number, where: string) =>
    `there are ${count} copies of ${name} in ${where}; ${effect}; npm ls ${name} shows them, npm dedupe leaves one`;
  const folders = loadedCopies(name, main, files);
  if (folders.length > 1) return warning(folders.length, `this process, ${folders.join(" and ")}`);
  if (isSplit(used)) {
    const users = used.map((each) => each.join(" and ")).join("; by ");
    return warning(used.length, `this process, used by ${users}`);
  }
  const bundled = folders.length === 0 ? countIn(self, marker) : 1;
  return bundled > 1 ? warning(bundled, self) : undefined;
}

/** Whether some copy lacks a user that another copy has. Where all have the same, modules were loaded anew, as tests do. */
function isSplit(used: readonly (readonly string[])[]): boolean {
  const all = new Set(used.flat());
  return used.some((users) => users.length < all.size);
}

/** The folders of the copies of a CommonJS package among the files that were loaded. */
function loadedCopies(name: string, main: string, files: readonly string[]): readonly string[] {
  const end = `/node_modules/${name}/${main}`;
  const isCopy = (file: string) => file.replaceAll("\\", "/").endsWith(end);
  return files.filter(isCopy).map((file) => file.slice(0, -(main.length + 1)));
}

function countIn(file: string, marker: RegExp): number {
  try {
    return [...readFileSync(file, "utf8").matchAll(new RegExp(marker, "g"))].length;
  } catch {
    return 1; // a file that cannot be read, as of a program in memory, says nothing
  }
}

function whatIsLoaded(): Loaded {
  const [site] = getCallSites(1);
  const script = site?.scriptName ?? "";
  return {
    files: Object.keys(createRequire(process.execPath).cache ?? {}),
    self: script.startsWith("file:") ? fileURLToPath(script) : script,
  };
}
