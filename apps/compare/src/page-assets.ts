import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { build } from "esbuild";

/** A file of the page, in memory. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

const page = join(import.meta.dirname, "../page");

/** Bundles the page. All that it needs is in the result: it loads nothing from elsewhere. */
export async function buildAssets(): Promise<readonly Asset[]> {
  const { outputFiles } = await build({
    entryPoints: { page: join(page, "main.tsx") },
    outdir: "/",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "eof",
    write: false,
    logLevel: "silent",
  });
  const html = { path: "/", type: "text/html; charset=utf-8", body: await readFile(join(page, "index.html")) };
  const icon = { path: "/icon.svg", type: "image/svg+xml", body: await readFile(join(page, "icon.svg")) };
  const bundled = outputFiles.map(({ path, contents }) => {
    const type = path.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
    return { path, type, body: Buffer.from(contents) };
  });
  return Promise.all(
    [html, icon, ...bundled].map(async (file) => ({
      ...file,
      gzipped: await promisify(gzip)(file.body, { level: 9 }),
      etag: `"${createHash("sha256").update(file.body).digest("base64url")}"`,
    })),
  );
}
