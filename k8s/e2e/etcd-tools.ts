import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "@grpc-lb/core";

/**
 * Builds etcdctl and etcdutl with the Go of this machine, whose modules come from the proxy that it is configured with. Returns their
 * paths; a text says why they cannot be built.
 */
export async function buildEtcdTools(): Promise<readonly string[] | string> {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-etcd-tools-"));
  const names = ["etcdctl", "etcdutl"];
  const packages = names.map((name) => `go.etcd.io/etcd/${name}/v3`);
  try {
    await promisify(execFile)("go", ["build", "-trimpath", "-o", `${folder}/`, ...packages], {
      cwd: join(import.meta.dirname, "etcd-tools"),
      env: { ...process.env, CGO_ENABLED: "0" },
      timeout: 300_000,
    });
  } catch (error) {
    return messageOf(error).split("\n")[0] ?? "";
  }
  return names.map((name) => join(folder, name));
}
