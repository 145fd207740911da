/**
 * A plugin of typedoc. Each module has the name that a user imports, such as `@grpc-lb/discovery/kubernetes`. A type of this
 * repository that an exported name refers to, and that no entry exports, is a warning; typedoc checks this in one package only.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Converter, ReflectionKind } from "typedoc";
// typedoc is pinned, and exports this function to itself only.
import { discoverAllReferenceTypes } from "./node_modules/typedoc/dist/node-utils.js";

const root = resolve(import.meta.dirname, "../..");

/** The specifier of each public entry, by its source file. */
const specifiers = new Map(
  ["discovery", "interceptors", "policies", "resolver"].flatMap((library) => {
    const folder = join(root, "libs", library);
    const { name, exports, publicExports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return Object.entries(exports)
      .filter(([entry]) => publicExports?.includes(entry) ?? true)
      .map(([entry, source]) => [join(folder, source), name + entry.slice(1)]);
  }),
);

export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
    reflection.name = specifiers.get(file) ?? reflection.name;
  });
  app.on("validateProject", (project) => {
    const modules = new Set(project.getReflectionsByKind(ReflectionKind.Module).map(({ name }) => name));
    for (const specifier of specifiers.values())
      if (!modules.has(specifier)) app.logger.validationWarning(`${specifier} is not in entryPoints of typedoc.json`);
    const reported = new Set();
    for (const { type, owner } of discoverAllReferenceTypes(project, true)) {
      // An inherited constructor refers to that of its class, whose other members are in the subclass.
      const isOurs = type.package?.startsWith("@grpc-lb/") && !type.qualifiedName.endsWith(".constructor");
      if (
        type.reflection ||
        type.refersToTypeParameter ||
        type.externalUrl ||
        !isOurs ||
        reported.has(type.qualifiedName)
      )
        continue;
      reported.add(type.qualifiedName);
      const where = `${type.package}/${type.symbolId?.packagePath}`;
      app.logger.validationWarning(
        `${type.qualifiedName} of ${where} is not exported; ${owner.getFriendlyFullName()} refers to it`,
      );
    }
  });
}
