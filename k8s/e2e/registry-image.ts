import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type ApiNode, hasImage } from "../cluster/node-images.ts";
import type { Registry } from "../cluster/registry.ts";
import { tagOf } from "../image/tag.ts";
import { findSandbox } from "./sandbox.ts";

/** The variable of the Makefile that names the image. */
export const imageVariable = (registry: Registry) => `${registry.toUpperCase()}_IMAGE`;

/**
 * The image that a registry is to run from: that of the environment, in the sandbox (which has no network) one that is made of this
 * machine's own program, else the makers', which is the empty text.
 *
 * @returns null, and why, when there is none to be had
 */
export async function registryImage(
  kubectl: Kubectl,
  registry: Registry,
): Promise<{ readonly image: string } | { readonly image: null; readonly why: string }> {
  const given = process.env[imageVariable(registry)];
  if (given) return { image: given };
  const sandbox = await findSandbox(kubectl);
  if (!sandbox) return { image: "" };
  let program: string;
  try {
    program = execFileSync("which", [registry], { encoding: "utf8" }).trim();
  } catch {
    return { image: null, why: `${registry} is not on the PATH, of which the sandbox's image is made` };
  }
  const image = `grpc-lb-e2e/${registry}:${tagOf([[registry, readFileSync(program)]])}`;
  const nodes = await kubectl.get(["nodes"]);
  if (nodes.items.length > 0 && nodes.items.every((node: ApiNode) => hasImage(node, image))) return { image };
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-"));
  try {
    copyFileSync(program, join(folder, registry));
    const dockerfile = `FROM node:24-bookworm-slim\nCOPY ${registry} /usr/local/bin/${registry}\n`;
    writeFileSync(join(folder, "Dockerfile"), dockerfile);
    execFileSync("docker", ["build", "--quiet", "--tag", image, folder], { stdio: "ignore" });
    sandbox("load", image);
    return { image };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
