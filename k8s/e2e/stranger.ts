import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Kubectl } from "../cluster/kubectl.ts";

/** Writes a kubeconfig for the same cluster whose user, the namespace's default service account, has no rights. */
export async function kubeconfig(kubectl: Kubectl): Promise<string> {
  const token = (await kubectl.run(["create", "token", "default", "--duration=10m"])).trim();
  const config = JSON.parse(await kubectl.run(["config", "view", "--minify", "--raw", "--flatten", "-o", "json"]));
  const [context] = config.contexts;
  context.context.user = "stranger";
  config.users = [{ name: "stranger", user: { token } }];
  const path = join(mkdtempSync(join(tmpdir(), "grpc-lb-e2e-")), "kubeconfig");
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** Deletes the kubeconfig. */
export function forget(path: string): void {
  rmSync(dirname(path), { recursive: true });
}
