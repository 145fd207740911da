/** The packages as a user gets them: packed by npm, once for each state of libs/{discovery,resolver,policies,interceptors}/dist. */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "./execute.ts";
import { cache, root } from "./places.ts";

export const packageNames = ["discovery", "resolver", "policies", "interceptors"] as const;
export type PackageName = (typeof packageNames)[number];

/** A packed package. */
export interface PackedPackage {
  /** `@grpc-lb/resolver`. */
  readonly name: string;
  readonly tarball: string;
  /** Of the tarball's content. */
  readonly hash: string;
  /** As `npm pack --json` lists them. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** The built folder of a package. @throws Error when `make build` has not run */
export function distOf(name: PackageName): string {
  const dist = join(root, "libs", name, "dist");
  if (!existsSync(join(dist, "package.json"))) throw new Error(`there is no ${dist}: run make build`);
  return dist;
}

/** Packs a package, or returns what was packed of the same files before. */
export async function pack(name: PackageName): Promise<PackedPackage> {
  const dist = distOf(name);
  const folder = join(cache, "packed", `${name}-${hashOfFiles(dist)}`);
  const record = join(folder, "packed.json");
  if (!existsSync(record)) {
    const partial = `${folder}.${process.pid}`;
    mkdirSync(partial, { recursive: true });
    const { stdout } = await execute("npm", ["pack", "--json", "--pack-destination", partial], { folder: dist });
    // npm 10 and 11 print a list, npm 12 an object by name.
    const [packed] = Object.values(JSON.parse(stdout)) as { filename: string; files: PackedPackage["files"] }[];
    if (!packed) throw new Error(`npm pack listed nothing for ${name}: ${stdout}`);
    writeFileSync(join(partial, "packed.json"), JSON.stringify(packed));
    for (const old of globSync(`${name}-*`, { cwd: join(cache, "packed") })) {
      if (!partial.endsWith(old)) rmSync(join(cache, "packed", old), { recursive: true });
    }
    renameSync(partial, folder);
  }
  const { filename, files } = JSON.parse(readFileSync(record, "utf8"));
  const tarball = join(folder, filename);
  return { name: `@grpc-lb/${name}`, tarball, hash: hashOf(readFileSync(tarball)), files };
}

export function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

function hashOfFiles(folder: string): string {
  const files = globSync("**/*", { cwd: folder }).filter((file) => statSync(join(folder, file)).isFile());
  return hashOf(...files.sort().flatMap((file) => [file, readFileSync(join(folder, file))]));
}
