import { createRequire } from "node:module";

/**
 * Returns the folders of the copies of a CommonJS package that this process has loaded. A package with a registry, such as
 * grpc-js, must be loaded once: a registration in one copy is unknown to the others.
 *
 * @param name the name of the package: `@grpc/grpc-js`
 * @param main the main file of a copy, relative to its folder: `build/src/index.js`
 * @param loaded the files that were loaded; tests pass their own
 */
export function loadedCopies(
  name: string,
  main: string,
  loaded: readonly string[] = Object.keys(createRequire(process.execPath).cache ?? {}),
): readonly string[] {
  const end = `/node_modules/${name}/${main}`;
  const isCopy = (file: string) => file.replaceAll("\\", "/").endsWith(end);
  return loaded.filter(isCopy).map((file) => file.slice(0, -(main.length + 1)));
}
