import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { wire } from "./modules.ts";

/** The part of protobuf's runtime that generated code uses, in one file: the package has 3 MB, and this is 26 kB. */
export function bundleProtobuf(root: string): {
  readonly code: string;

  readonly notices: string;
} {
  const names = "BinaryReader, BinaryWriter";
  const { outputFiles, metafile } = buildSync({
    stdin: { contents: `export { ${names} } from "${wire}";`, resolveDir: join(root, "protos") },
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node22",
    format: "cjs",
  });
  const sources = Object.keys(metafile.inputs).filter((path) => path.includes("node_modules"));
  const headers = new Set(sources.flatMap((path) => readHeader(join(process.cwd(), path))));
  const { version, license } = JSON.parse(
    readFileSync(join(root, "node_modules/@bufbuild/protobuf/package.json"), "utf8"),
  );
  return {
    code: outputFiles[0]?.text ?? "",
    notices: [`This package contains a part of @bufbuild/protobuf ${version} (${license}).`, ...headers].join("\n\n"),
  };
}

/** The comment with the licence at the beginning of a source file. */
function readHeader(path: string): string[] {
  const [first = "", ...rest] = readFileSync(path, "utf8")
    .replace(/^"use strict";\n/, "")
    .split("\n");
  if (!first.startsWith("//")) return [];
  const end = rest.findIndex((line) => !line.startsWith("//"));
  return [[first, ...rest.slice(0, end)].map((line) => line.replace(/^\/\/ ?/, "")).join("\n")];
}
