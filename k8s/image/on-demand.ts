import { basename, dirname } from "node:path";
import type { Plugin } from "esbuild";

/** Packages that are chunks where the program itself does not use them. */
const packages: readonly string[] = ["fastify"];

/** What a program loads only when it is asked for: each is a file of its own, which costs nothing at a start without it. */
export interface Chunk {
  /** The name of its file, without a folder: `telemetry.cjs`. */
  readonly name: string;
  readonly entry: string;
}

/**
 * Makes a chunk of each dynamic import of a file `on-demand.ts`, named after its folder, and of some packages. Node compiles a program as a
 * whole before it runs the first line, some 20 to 40 ms for each megabyte. A chunk has copies of the packages that the program has too, so it
 * must not use grpc-js, whose classes and registries exist once.
 *
 * @param isUsed whether the program has a package among its own dependencies
 */
export function splitOnDemand(chunks: Map<string, Chunk>, isUsed: (name: string) => boolean): Plugin {
  return {
    name: "on-demand",
    setup({ onResolve, resolve }) {
      onResolve({ filter: /\/on-demand\.ts$|^fastify$/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
        if (kind !== "dynamic-import" || pluginData === "resolving") return undefined;
        const isPackage = packages.includes(path);
        if (isPackage && isUsed(path)) return undefined;
        const found = await resolve(path, { kind, importer, resolveDir, pluginData: "resolving" });
        const name = `${isPackage ? path : basename(dirname(found.path))}.cjs`;
        chunks.set(name, { name, entry: found.path });
        return { path: `./${name}`, external: true };
      });
    },
  };
}
