import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Why Go cannot be run for a test; undefined when it can. */
export const goIsMissing = findGo();

function findGo(): string | undefined {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return `there is no Go (${(error as NodeJS.ErrnoException).code ?? "it fails"})`;
  }
}

/** A program that was built. */
export interface GoProgram {
  readonly path: string;
  remove(): void;
}

/**
 * Builds `go-endpoints`, which uses etcd's own Go client; the first time its modules come from the proxy that Go is set up
 * with. Returns a string with the reason where that fails, for instance without a network.
 */
export async function buildGoEndpoints(): Promise<GoProgram | string> {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-go-"));
  const path = join(folder, "go-endpoints");
  const cwd = new URL("./go-endpoints/", import.meta.url).pathname;
  try {
    await promisify(execFile)("go", ["build", "-o", path, "."], { cwd, timeout: 60_000 });
    return { path, remove: () => rmSync(folder, { recursive: true }) };
  } catch (error) {
    rmSync(folder, { recursive: true });
    return `the Go program cannot be built: ${String((error as { stderr?: string }).stderr ?? error).split("\n")[0]}`;
  }
}
