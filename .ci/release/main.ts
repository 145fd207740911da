/**
 * Releases the public packages, `make release`: versions, changelogs, one tag, and what would be published. By default it works in a
 * copy and changes nothing; `ARGS=--write` makes the commit and the tag here. It never publishes.
 */
import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPackage } from "../package/manifest.ts";
import { readChanges, readVersion, removePrivateChangelogs, setVersion } from "./version.ts";

const root = join(import.meta.dirname, "../..");
const unknown = process.argv.slice(2).filter((argument) => argument !== "--write");
if (unknown.length > 0) fail(`unknown argument ${unknown[0]}; --write makes the commit and the tag`, 2);
const isWriting = process.argv.includes("--write");
const changesets = globSync(".changeset/*.md", { cwd: root });
if (changesets.length === 0) fail("there is no changeset: npx changeset describes what changed", 1);
if (run(root, "git", "status", "--porcelain") !== "") fail("commit your changes first", 1);

const folder = isWriting ? root : copyRepository();
try {
  const tag = prepare(folder);
  say(
    isWriting
      ? `committed and tagged ${tag}; push both, and the registry gets it from your CI`
      : "nothing was changed: --write does it",
  );
} finally {
  if (!isWriting) rmSync(folder, { recursive: true });
}

/** A clone with the installed packages of this folder. */
function copyRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), "grpc-lb-release-"));
  run(root, "git", "clone", "--quiet", "--local", root, copy);
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** @returns the tag */
function prepare(folder: string): string {
  const before = readVersion(folder);
  run(folder, join(root, "node_modules/.bin/changeset"), "version");
  const packages = globSync("libs/*", { cwd: folder })
    .map((path) => readPackage(join(folder, path)))
    .filter(({ isPublic }) => isPublic);
  const version = packages[0]?.manifest.version ?? before;
  removePrivateChangelogs(folder);
  setVersion(folder, before, version);
  run(
    folder,
    "npm",
    "install",
    "--package-lock-only",
    "--ignore-scripts",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
  );
  say(`version ${before} → ${version}`);
  for (const pack of packages) {
    const path = pack.folder.slice(folder.length + 1);
    run(folder, process.execPath, join(folder, ".ci/package/build.ts"), path);
    const summary: Record<string, Packed> = JSON.parse(
      run(join(pack.folder, "dist"), "npm", "publish", "--dry-run", "--json"),
    );
    const { entryCount, unpackedSize } = summary[pack.manifest.name] ?? { entryCount: 0, unpackedSize: 0 };
    say(`\n${pack.manifest.name}@${version}: ${entryCount} files, ${unpackedSize} bytes`);
    say(readChanges(readFileSync(join(pack.folder, "CHANGELOG.md"), "utf8"), version));
  }
  const tag = `v${version}`;
  run(folder, "git", "add", "--all");
  run(folder, "git", "commit", "--quiet", "--message", `Release ${version}`);
  run(folder, "git", "tag", "--annotate", tag, "--message", `Release ${version}`);
  say(`\ntag ${tag}: ${run(folder, "git", "show", "--stat", "--format=%s", "HEAD").split("\n").at(-1)}`);
  return tag;
}

interface Packed {
  readonly entryCount: number;
  readonly unpackedSize: number;
}

function run(cwd: string, command: string, ...args: string[]): string {
  const options: SpawnSyncOptionsWithStringEncoding = { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] };
  const { status, stdout, stderr, error } = spawnSync(command, args, options);
  if (status !== 0) fail(`${command} ${args[0]} failed:\n${error?.message ?? stdout + stderr}`, 1);
  return stdout.trim();
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(message: string, code: number): never {
  process.stderr.write(`release: ${message}\n`);
  process.exit(code);
}
