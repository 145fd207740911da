import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A file of the page, in memory. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

/** The sources of the page; in an image, where the program is dist/app/main.cjs, the page as build-page.ts has written it. */
const folder = join(import.meta.dirname, "../page");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The files of the page, bundled unless they already are. All that the page needs is among them: it loads nothing from elsewhere. */
export async function loadAssets(): Promise<readonly Asset[]> {
  const read = (name: string) => readFile(join(folder, name));
  const built = existsSync(join(folder, "page.js"))
    ? new Map([["page.js", await read("page.js")] as const, ["page.css", await read("page.css")] as const])
    : await bundlePage();
  const html = ["index.html", await read("index.html")] as const;
  const files = [html, ["icon.svg", await read("icon.svg")] as const, ...built];
  return Promise.all(
    files.map(async ([name, body]) => ({
      path: name === "index.html" ? "/" : `/${name}`,
      type: types[extname(name)] ?? "application/octet-stream",
      body,
      gzipped: await promisify(gzip)(body, { level: 9 }),
      etag: `"${createHash("sha256").update(body).digest("base64url")}"`,
    })),
  );
}

/** Not imported at the top: esbuild, and what the page is made of, are not installed by `make demo`, nor in an image. */
async function bundlePage(): Promise<ReadonlyMap<string, Buffer>> {
  const { buildPage } = await import("./build-page.ts").catch((cause: unknown) => {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error("the page cannot be bundled, as esbuild is not installed; run: make init", { cause });
  });
  return buildPage();
}
