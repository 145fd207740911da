import { basename, dirname } from "node:path";
import type { Plugin } from "esbuild";

/** The package that is a chunk: an optional peer of @grpc-lb/xds. It works with the program's grpc-js. */
const xdsPackage = "@grpc/grpc-js-xds";

/** Where a chunk finds the program's grpc-js, an expression. */
const sharedGrpc = 'globalThis[Symbol.for("grpc-lb: the grpc-js of the program")]';

/** What a program loads only when it is asked for: each is a file of its own, which costs nothing at a start without it. */
export interface Chunk {
  /** The name of its file, without a folder: `telemetry.cjs`. */
  readonly name: string;
  readonly entry: string;
}

/**
 * Makes a chunk of each dynamic import of a file `on-demand.ts`, named after its folder, and of grpc-js-xds. Node compiles a program as
 * a whole before it runs the first line, some 20 to 40 ms for each megabyte. A chunk has copies of the packages that the program has too,
 * except of grpc-js, whose classes and registries exist once: it takes that of the program.
 */
export function splitOnDemand(chunks: Map<string, Chunk>): Plugin {
  return {
    name: "on-demand",
    setup({ onLoad, onResolve, resolve }) {
      const filter = /\/on-demand\.ts$|^@grpc\/grpc-js-xds$/;
      onResolve({ filter }, async ({ path, kind, importer, resolveDir, pluginData }) => {
        if (kind !== "dynamic-import" || pluginData === "resolving") return undefined;
        const isXds = path === xdsPackage;
        const found = await resolve(path, { kind, importer, resolveDir, pluginData: "resolving" });
        const name = `${isXds ? basename(path) : basename(dirname(found.path))}.cjs`;
        chunks.set(name, { name, entry: found.path });
        if (isXds) return { path: name, namespace: "chunk-with-grpc", pluginData: { resolveDir } };
        return { path: `./${name}`, external: true };
      });
      onResolve({ filter: /\.cjs$/, namespace: "chunk-with-grpc" }, ({ path }) => ({ path, external: true }));
      onLoad({ filter: /./, namespace: "chunk-with-grpc" }, ({ path, pluginData }) => ({
        contents: `${sharedGrpc} = require("@grpc/grpc-js"); module.exports = require("./${path}");`,
        resolveDir: pluginData.resolveDir,
      }));
    },
  };
}

/** Gives a chunk the program's grpc-js. */
export const takeGrpcOfProgram: Plugin = {
  name: "grpc-of-program",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^@grpc\/grpc-js\/?$/ }, () => ({ path: "@grpc/grpc-js", namespace: "grpc-of-program" }));
    onLoad({ filter: /./, namespace: "grpc-of-program" }, () => ({ contents: `module.exports = ${sharedGrpc};` }));
  },
};
