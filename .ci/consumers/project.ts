/** The folders of the consumers: each has a package.json, the packed packages, and packages of the table. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type Dependencies, type Installer, npm } from "./installers.ts";
import { hashOf, type PackageName, pack } from "./packages.ts";
import { cache, programs } from "./places.ts";

/** What a project has. */
export interface ProjectSpec {
  readonly name: string;
  readonly packages: readonly PackageName[];
  /** Packages of the table, programs/package.json. */
  readonly others: readonly string[];
  /** Default: npm. */
  readonly installer?: Installer;
  /** Further fields of the package.json. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Folders of programs/ that are installed as packages. */
  readonly folders?: readonly string[];
}

const table: { readonly dependencies: Dependencies; readonly allowScripts: object } = JSON.parse(
  readFileSync(join(programs, "package.json"), "utf8"),
);

/**
 * Returns a fresh folder below the one for temporary files, with what the project has and the given files of programs/; it is
 * removed when the test file has ended. It is a copy of what an earlier run installed, if packages and versions are the same.
 */
export async function createProject(spec: ProjectSpec & { readonly programs: readonly string[] }): Promise<string> {
  const installed = await install(spec);
  const folder = createFolder(spec.name);
  after(() => rmSync(folder, { recursive: true, force: true }));
  copy(installed, folder);
  for (const file of spec.programs) cpSync(join(programs, file), join(folder, file));
  return folder;
}

/** Returns the installed project in the cache. It has this repository's node_modules above it: for tools alone. */
export async function install({ name, packages, others, installer = npm, fields, folders = [] }: ProjectSpec) {
  const packed = await Promise.all(packages.map(pack));
  const tarballs = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const own = Object.fromEntries(folders.map((folder) => [folder, `file:${join(programs, folder)}`]));
  const foreign = { ...own, ...Object.fromEntries(others.map((other) => [other, versionOf(other)])) };
  const manifest = { name, private: true, ...fields, allowScripts: table.allowScripts };
  const installerSource = readFileSync(join(import.meta.dirname, "installers.ts"));
  const contents = folders.map((folder) => readFileSync(join(programs, folder, "package.json")));
  const base = `${name}-${hashOf(JSON.stringify([manifest, foreign, packages]), installerSource, ...contents)}`;
  const installed = join(cache, `${base}-${hashOf(...packed.map(({ tarball, hash }) => tarball + hash))}`);
  if (existsSync(installed)) return installed;
  process.stdout.write(`installing ${name} with ${installer.name}\n`);
  const folder = createFolder(name);
  try {
    takeOld(name, base, folder);
    await installer.install(folder, { ...manifest, dependencies: { ...tarballs, ...foreign } }, tarballs);
    const partial = `${installed}.${process.pid}`;
    mkdirSync(partial, { recursive: true });
    copy(folder, partial);
    renameSync(partial, installed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return installed;
}

/**
 * Removes what earlier runs left of a project. If one of them differs in this repository's packages alone, the folder gets its
 * files, and only those packages are installed.
 */
function takeOld(name: string, base: string, folder: string): void {
  mkdirSync(cache, { recursive: true });
  const ofProject = RegExp(`^${name}-[0-9a-f]{16}-[0-9a-f]{16}([.]\\d+)?$`);
  const old = readdirSync(cache).filter((entry) => ofProject.test(entry));
  const closest = old.find((entry) => entry.startsWith(`${base}-`) && !entry.includes("."));
  if (closest !== undefined) copy(join(cache, closest), folder);
  // Also the closest: the installer writes into files that it shares with the folder.
  for (const entry of old) rmSync(join(cache, entry), { recursive: true, force: true });
}

function versionOf(name: string): string {
  const version = table.dependencies[name];
  if (version === undefined) throw new Error(`programs/package.json has no version of ${name}`);
  return version;
}

const createFolder = (name: string): string => mkdtempSync(join(tmpdir(), `grpc-lb-consumer-${name}-`));

/** Copies a tree, by hard links where the system has them. */
function copy(from: string, to: string): void {
  const { status } = spawnSync("cp", ["-al", `${from}/.`, to], { stdio: "ignore" });
  if (status === 0) return;
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}
