import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../image/tag.ts";

/**
 * A copy of this checkout whose server has another version, as after a change of the sources. It has only what git does not ignore:
 * another story may build the packages meanwhile, and the files of a build come and go.
 */
export function copyWithServerVersion(version: string): string {
  const copy = mkdtempSync(join(tmpdir(), "grpc-lb-changed-"));
  for (const file of sourceFiles()) cpSync(join(root, file), join(copy, file), { preserveTimestamps: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const manifest = join(copy, "apps/server/package.json");
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, "utf8")), version }, null, 2));
  return copy;
}

/** The files that git has or would add; a file that is deleted and not committed is still in its index. */
function sourceFiles(): readonly string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });
  return listed.split("\0").filter((file) => file !== "" && existsSync(join(root, file)));
}

/** Removes it. */
export function removeCopy(copy: string): void {
  rmSync(copy, { recursive: true });
}
