import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the build reads of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, string>>;
  /** The exports that are published; without it all are. */
  readonly publicExports?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package of this workspace. */
export interface WorkspacePackage {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Whether it is published; the code of the others is copied into those that need it. */
  readonly isPublic: boolean;
}

export function readPackage(folder: string): WorkspacePackage {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { folder, manifest, isPublic: manifest.private !== true };
}

/** The workspace's package of this name; undefined for a package of others. */
export function findWorkspacePackage(root: string, name: string): WorkspacePackage | undefined {
  if (!name.startsWith("@grpc-lb/")) return undefined;
  const short = name.slice("@grpc-lb/".length);
  const folder = [join(root, "libs", short), join(root, short)].find((path) => existsSync(join(path, "package.json")));
  if (folder === undefined) throw new Error(`there is no package ${name} in this workspace`);
  return readPackage(folder);
}

/** The published exports of a package: `.` or `./kubernetes`, and the source file of each. */
export function publicExports({ manifest: { exports, publicExports } }: WorkspacePackage): [string, string][] {
  return Object.entries(exports).filter(([name]) => publicExports?.includes(name) ?? true);
}

/** `.` → `index`, `./testing` → `testing`. */
export const entryName = (exported: string): string => (exported === "." ? "index" : exported.slice(2));

/**
 * The package.json of what is published: JavaScript entries instead of sources, and ranges instead of exact versions for packages
 * of this workspace.
 */
export function publishedManifest(pack: WorkspacePackage): object {
  const { devDependencies: _dev, publicExports: _public, exports: _exports, dependencies, ...rest } = pack.manifest;
  const {
    nx: _nx,
    scripts: _scripts,
    type: _type,
    publishConfig,
    ...kept
  } = rest as typeof rest & Record<string, unknown>;
  const { directory: _directory, ...publishing } = (publishConfig ?? {}) as Record<string, unknown>;
  const ranges = Object.entries(dependencies ?? {}).map(([name, version]) =>
    name.startsWith("@grpc-lb/") ? [name, `^${version}`] : [name, version],
  );
  const entries = publicExports(pack).map(([exported]) => {
    const entry = `./${entryName(exported)}`;
    return [
      exported,
      {
        import: { types: `${entry}.d.mts`, default: `${entry}.mjs` },
        require: { types: `${entry}.d.ts`, default: `${entry}.js` },
      },
    ];
  });
  return {
    ...kept,
    publishConfig: publishing,
    type: "commonjs",
    main: "./index.js",
    types: "./index.d.ts",
    exports: { ...Object.fromEntries(entries), "./package.json": "./package.json" },
    ...(ranges.length > 0 && { dependencies: Object.fromEntries(ranges) }),
  };
}
