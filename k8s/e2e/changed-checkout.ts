import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../image/tag.ts";

/** A copy of this checkout whose server has another version, as after a change of the sources. */
export function copyWithServerVersion(version: string): string {
  const copy = mkdtempSync(join(tmpdir(), "grpc-lb-changed-"));
  const isSource = (path: string) => !/\/(node_modules|dist|\.nx|\.git)(\/|$)/.test(path.slice(root.length));
  cpSync(root, copy, { recursive: true, preserveTimestamps: true, filter: isSource });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const manifest = join(copy, "apps/server/package.json");
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, "utf8")), version }, null, 2));
  return copy;
}

/** Removes it. */
export function removeCopy(copy: string): void {
  rmSync(copy, { recursive: true });
}
