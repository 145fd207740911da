import { createRequire } from "node:module";

/**
 * The folders of the copies of a package that this process has loaded as CommonJS. Packages with a registry of their own, as
 * grpc-js, must be there once: what is registered in one copy is unknown to the others.
 *
 * @param name of the package: `@grpc/grpc-js`
 * @param main the file by which a copy is known, below its folder: `build/src/index.js`
 * @param loaded the files that were loaded; given in tests
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
