import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type ApiNode, hasImage } from "../cluster/node-images.ts";
import type { Registry } from "../cluster/registry.ts";
import { tagOf } from "../image/tag.ts";
import { findSandbox } from "./sandbox.ts";

/** The Makefile's variable for the image. */
export const imageVariable = (registry: Registry) => `${registry.toUpperCase()}_IMAGE`;

/**
 * The image for a registry: that of the environment variable; in the sandbox, which has no network, an image built from this machine's
 * program; otherwise the empty text, for the official image.
 *
 * @returns a null image and the reason if there is none
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
    return { image: null, why: `${registry} is not on the PATH, and the sandbox's image is built from it` };
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
