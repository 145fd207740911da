/**
 * Builds what is published of one library: `node .ci/package/build.ts libs/resolver` writes libs/resolver/dist, a folder for
 * `npm pack`. It contains CommonJS with declarations and source maps, an entry for ES modules on top of it, and the code of the
 * private packages that it needs.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { compile } from "./compile.ts";
import { entryFiles, missingPackageModule } from "./entry.ts";
import { findWorkspacePackage, publishedManifest, readPackage, type WorkspacePackage } from "./manifest.ts";
import { entriesOf, type ImportListener, Modules, type PlacedModule, wirePlace } from "./modules.ts";
import { absoluteLinks } from "./readme.ts";
import { bundleProtobuf } from "./vendored-protobuf.ts";

const root = join(import.meta.dirname, "../..");
const argument = process.argv[2];
if (argument === undefined) {
  process.stderr.write("build: name the library's folder: node .ci/package/build.ts libs/resolver\n");
  process.exit(2);
}
const pack = readPackage(resolve(root, argument));
if (!pack.isPublic) {
  process.stderr.write(`build: ${pack.manifest.name} is private\n`);
  process.exit(2);
}
const dist = join(pack.folder, "dist");
const compiled = join(pack.folder, "out/build");
for (const folder of [dist, compiled]) rmSync(folder, { recursive: true, force: true });

const modules = new Modules(root, pack);
const packages = new Set<string>();
compilePackage(pack);
const optional = Object.entries(pack.manifest.peerDependencies ?? {}).filter(
  ([name]) => pack.manifest.peerDependenciesMeta?.[name]?.optional === true,
);
const entries = entriesOf(pack);
const used = new Map(entries.map(({ name, source }) => [name, copyModules([modules.entry(source)], ".js")]));
for (const { source } of entries) copyModules([modules.entry(source)], ".d.ts");
if (optional.length > 0) copyModules([missingPackage()], ".js");
if (existsSync(join(dist, "lib/internal/protos"))) {
  const { code, notices } = bundleProtobuf(root);
  write(`${wirePlace}.js`, code);
  write("THIRD-PARTY-NOTICES", `${notices}\n`);
}
write("package.json", `${JSON.stringify(publishedManifest(pack), null, 2)}\n`);
const require = createRequire(import.meta.url);
for (const { name, source } of entries) {
  const module = modules.place(modules.entry(source));
  const specifier = name === "index" ? pack.manifest.name : `${pack.manifest.name}/${name}`;
  const peers = Object.fromEntries(optional.filter(([peer]) => used.get(name)?.has(peer)));
  const exported = Object.keys(require(join(dist, `${module}.js`)));
  for (const [path, text] of Object.entries(entryFiles({ name, module, exported, specifier, peers })))
    write(path, text);
}
write("README.md", absoluteLinks(readFileSync(join(pack.folder, "README.md"), "utf8"), argument));
copyFileSync(join(pack.folder, "CHANGELOG.md"), join(dist, "CHANGELOG.md"));
copyFileSync(join(root, "LICENSE"), join(dist, "LICENSE"));
rmSync(compiled, { recursive: true });

/** Compiles a package, once. */
function compilePackage(owner: WorkspacePackage): void {
  const { name } = owner.manifest;
  if (packages.has(name)) return;
  packages.add(name);
  compile(root, owner, folderOf(owner));
}

function folderOf({ manifest: { name } }: WorkspacePackage): string {
  return join(compiled, name);
}

/**
 * Copies modules and all that they import to the published package.
 *
 * @param extension `.js` for what runs, with its source maps, or `.d.ts` for its types, which import less
 * @returns the packages of others that they import
 */
function copyModules(roots: readonly PlacedModule[], extension: ".js" | ".d.ts"): Set<string> {
  const others = new Set<string>();
  const seen = new Set<string>();
  const waiting = [...roots];
  const found: ImportListener = { onModule: (module) => waiting.push(module), onPackage: (name) => others.add(name) };
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const place = modules.place(next);
    if (seen.has(place)) continue;
    seen.add(place);
    compilePackage(next.owner);
    const from = join(folderOf(next.owner), next.path);
    const text = modules.rewrite(next, readFileSync(from + extension, "utf8"), found);
    // A map of generated code helps nobody.
    const hasMap = extension === ".js" && next.owner.manifest.name !== "@grpc-lb/protos";
    write(place + extension, hasMap ? text : text.replace(/\/\/# sourceMappingURL=.*\n?/, ""));
    if (hasMap) write(`${place}.js.map`, readFileSync(`${from}.js.map`, "utf8"));
  }
  return others;
}

function missingPackage(): PlacedModule {
  const owner = findWorkspacePackage(root, "@grpc-lb/core");
  if (!owner) throw new Error("there is no package @grpc-lb/core");
  const module = { owner, path: "src/missing-package" };
  if (modules.place(module) !== missingPackageModule) throw new Error(`${missingPackageModule} has moved`);
  return module;
}

function write(path: string, text: string): void {
  const file = join(dist, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
