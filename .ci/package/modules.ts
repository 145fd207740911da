import { builtinModules } from "node:module";
import { posix } from "node:path";
import { entryName, findWorkspacePackage, type Manifest, publicExports, type WorkspacePackage } from "./manifest.ts";

/** The one function of another package that generated code needs: reading and writing protobuf. It is bundled. */
export const wire = "@bufbuild/protobuf/wire";
const wireFile = "internal/protobuf-wire";

/** A file of the published package: where it is, and from which compiled file it comes. */
export interface PlacedModule {
  readonly owner: WorkspacePackage;
  /** Relative to the compiled folder of its owner, without extension: `src/core/source`. */
  readonly path: string;
}

/** What a module imports. */
export interface ImportListener {
  /** A module that must be in the package too. */
  onModule(module: PlacedModule): void;
  /** A package of others. */
  onPackage(name: string): void;
}

/** Decides where each compiled module is in the published package, and rewrites its imports accordingly. */
export class Modules {
  readonly #root: string;
  readonly #pack: WorkspacePackage;

  constructor(root: string, pack: WorkspacePackage) {
    this.#root = root;
    this.#pack = pack;
  }

  /** Relative to the published package, without extension: `lib/core/source`, `lib/internal/core/clock`. */
  place({ owner, path }: PlacedModule): string {
    if (owner.manifest.name === this.#pack.manifest.name) return `lib/${path.replace(/^src\//, "")}`;
    return `lib/internal/${owner.manifest.name.slice("@grpc-lb/".length)}/${path.replace(/^src\//, "")}`;
  }

  /** The module that an entry of the published package consists of. */
  entry(source: string): PlacedModule {
    return { owner: this.#pack, path: withoutExtension(source) };
  }

  /**
   * Rewrites the imports of a compiled file.
   *
   * @throws Error for an import that the package does not declare
   */
  rewrite(from: PlacedModule, text: string, found: ImportListener): string {
    const lines = text.split("\n").map((line) => {
      if (/^\s*(\*|\/[/*])/.test(line)) return line;
      return this.#guardOptional(line).replaceAll(
        /((?<![\w#.$])(?:require\(|from |import\(|import ))"([^"]+)"/g,
        (_all, keyword: string, specifier: string) => {
          return `${keyword}"${this.#resolve(from, specifier, found)}"`;
        },
      );
    });
    return lines.join("\n");
  }

  /** A bundler accepts that an optional package is missing only where its `require` is in a `try`. */
  #guardOptional(line: string): string {
    return line.replaceAll(/(?<=__importStar\()require\("([^"]+)"\)(?=\))/g, (call: string, specifier: string) => {
      const isOptional = this.#pack.manifest.peerDependenciesMeta?.[packageOf(specifier)]?.optional === true;
      return isOptional ? `(() => { try { return ${call}; } catch (error) { throw error; } })()` : call;
    });
  }

  #resolve(from: PlacedModule, specifier: string, { onModule, onPackage }: ImportListener): string {
    const place = this.place(from);
    if (specifier === wire) return relativePath(place, `lib/${wireFile}`);
    const target = specifier.startsWith(".")
      ? { owner: from.owner, path: withoutExtension(posix.join(posix.dirname(from.path), specifier)) }
      : this.#ofWorkspace(specifier);
    if (target) {
      onModule(target);
      return relativePath(place, this.place(target));
    }
    if (specifier.startsWith("node:") || builtinModules.includes(specifier)) return specifier;
    const name = packageOf(specifier);
    this.#requireDeclared(name, from);
    onPackage(name);
    return specifier;
  }

  /** Undefined for what is imported from another published package. */
  #ofWorkspace(specifier: string): PlacedModule | undefined {
    const [scope, short, ...rest] = specifier.split("/");
    const owner = findWorkspacePackage(this.#root, `${scope}/${short}`);
    if (!owner) return undefined;
    if (owner.isPublic && owner.manifest.name !== this.#pack.manifest.name) return undefined;
    const exported = rest.length > 0 ? `./${rest.join("/")}` : ".";
    const source = owner.manifest.exports[exported];
    if (source === undefined) throw new Error(`${owner.manifest.name} does not export ${exported}`);
    return { owner, path: withoutExtension(source) };
  }

  #requireDeclared(name: string, from: PlacedModule): void {
    const { dependencies = {}, peerDependencies = {} }: Manifest = this.#pack.manifest;
    if (name in dependencies || name in peerDependencies) return;
    throw new Error(`${this.#pack.manifest.name} does not declare ${name}, which ${from.path} imports`);
  }
}

/** The path of the bundled protobuf code in the published package, without extension. */
export const wirePlace = `lib/${wireFile}`;

/** `@a/b/c.js` → `@a/b`. */
const packageOf = (specifier: string): string => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

const withoutExtension = (path: string): string => posix.normalize(path).replace(/(\.d)?\.(ts|js)$/, "");

function relativePath(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to);
  return `${path.startsWith(".") ? path : `./${path}`}.js`;
}

/** The published entries: name, and the source of each. */
export function entriesOf(pack: WorkspacePackage): { readonly name: string; readonly source: string }[] {
  return publicExports(pack).map(([exported, source]) => ({ name: entryName(exported), source }));
}
