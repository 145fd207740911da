import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** Envoy: that of ENVOY, of the PATH, or of the sandbox. */
export function findEnvoy(): string | undefined {
  const found = findProgram("envoy");
  const { GRPC_LB_SANDBOX: sandbox } = process.env;
  if (found !== undefined || !sandbox) return found;
  execFileSync(sandbox, ["tool", "envoy"], { stdio: "ignore", timeout: 300_000 });
  return execFileSync("sh", ["-c", `eval "$("$0" env)" && command -v envoy`, sandbox], { encoding: "utf8" }).trim();
}

/** Builds the client of grpc-go/; its modules come from the proxy that Go is configured with. Undefined where there is no Go. */
export async function buildGrpcGo(): Promise<string | undefined> {
  const go = findProgram("go", "/usr/local/go/bin");
  if (go === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-go-"));
  process.once("exit", () => rmSync(folder, { recursive: true }));
  const program = join(folder, "client");
  await promisify(execFile)(go, ["build", "-o", program, "."], {
    cwd: join(import.meta.dirname, "grpc-go"),
    timeout: 900_000,
  });
  return program;
}

/** @param folders where it is looked for after the PATH */
function findProgram(name: string, ...folders: string[]): string | undefined {
  const given = process.env[name.toUpperCase()];
  const path = [...(process.env.PATH ?? "").split(delimiter), ...folders];
  return [...(given ? [given] : []), ...path.map((folder) => join(folder, name))].find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not executable
  }
}
