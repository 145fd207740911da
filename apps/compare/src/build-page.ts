import { basename, join } from "node:path";
import { build } from "esbuild";

const page = join(import.meta.dirname, "../page");

/** Bundles the page: `page.js` and `page.css`. @param onInputs takes the files that it is made of */
export async function buildPage(onInputs?: (paths: readonly string[]) => void): Promise<ReadonlyMap<string, Buffer>> {
  const { outputFiles, metafile } = await build({
    entryPoints: { page: join(page, "main.tsx") },
    outdir: "/",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "eof",
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  onInputs?.(Object.keys(metafile.inputs));
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]));
}
