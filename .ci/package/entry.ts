/** The files of one entry of a published package: CommonJS, its names for ES modules, and the types of both. */
export interface EntryFiles {
  readonly name: string;
  /** The module that it consists of, without extension: `lib/kubernetes/index`. */
  readonly module: string;
  /** The names that it exports at run time. */
  readonly exported: readonly string[];
  /** For messages: `@grpc-lb/discovery/kubernetes`. */
  readonly specifier: string;
  /** The optional peers that it imports, with their ranges. */
  readonly peers: Readonly<Record<string, string>>;
}

/** Where core's `describeMissingPackage` is in a published package that has optional peers. */
export const missingPackageModule = "lib/internal/core/missing-package";

/**
 * ES modules and CommonJS share one implementation, so that a process has one registry, however it loads the package. An optional
 * peer that is not installed is an error that says which package to install.
 */
export function entryFiles({ name, module, exported, specifier, peers }: EntryFiles): Readonly<Record<string, string>> {
  const load = `module.exports = require("./${module}.js");`;
  const guarded = [
    "try {",
    `  ${load}`,
    "} catch (error) {",
    `  const { describeMissingPackage } = require("./${missingPackageModule}.js");`,
    `  throw describeMissingPackage(error, ${JSON.stringify(specifier)}, ${JSON.stringify(peers)});`,
    "}",
  ];
  const code = Object.keys(peers).length > 0 ? guarded : [load];
  const names = exported.filter((one) => one !== "default");
  return {
    [`${name}.js`]: ['"use strict";', ...code, ""].join("\n"),
    [`${name}.mjs`]: `import entry from "./${name}.js";\n\nexport const { ${names.join(", ")} } = entry;\n`,
    [`${name}.d.ts`]: `export * from "./${module}.js";\n`,
    [`${name}.d.mts`]: `export * from "./${name}.js";\n`,
  };
}
