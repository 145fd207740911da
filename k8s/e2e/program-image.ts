import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Program } from "../cluster/companion.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type ApiNode, hasImage } from "../cluster/node-images.ts";
import { tagOf } from "../image/tag.ts";
import { findSandbox } from "./sandbox.ts";

/**
 * The image for a registry or proxy: that of the environment variable; in the sandbox, which has no network, an image built from this
 * machine's program and its libraries; otherwise the empty text, for the image in the manifests.
 *
 * @param more further static programs in that image, by their paths
 * @returns a null image and the reason if there is none
 */
export async function programImage(
  kubectl: Kubectl,
  program: Program | "jaeger",
  more: readonly string[] = [],
): Promise<{ readonly image: string } | { readonly image: null; readonly why: string }> {
  const given = process.env[`${program.toUpperCase()}_IMAGE`];
  if (given) return { image: given };
  const sandbox = await findSandbox(kubectl);
  if (!sandbox) return { image: "" };
  let path: string;
  try {
    path = execFileSync("which", [program], { encoding: "utf8" }).trim();
  } catch {
    return { image: null, why: `${program} is not on the PATH, and the sandbox's image is built from it` };
  }
  const libraries = librariesOf(path);
  const files = [path, ...more, ...libraries].map((file) => [basename(file), readFileSync(file)] as const);
  const image = `grpc-lb-e2e/${program}:${tagOf(files)}`;
  const nodes = await kubectl.get(["nodes"]);
  if (nodes.items.length > 0 && nodes.items.every((node: ApiNode) => hasImage(node, image))) return { image };
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-"));
  try {
    mkdirSync(join(folder, "lib"));
    mkdirSync(join(folder, "bin"));
    for (const file of [path, ...more]) copyFileSync(file, join(folder, "bin", basename(file)));
    for (const library of libraries) copyFileSync(library, join(folder, "lib", basename(library)));
    writeFileSync(join(folder, "Dockerfile"), dockerfile);
    execFileSync("docker", ["build", "--quiet", "--tag", image, folder], { stdio: "ignore" });
    await sandbox("load", image);
    return { image };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const dockerfile = [
  "FROM node:24-bookworm-slim",
  "COPY bin /usr/local/bin",
  "COPY lib /opt/lib",
  "ENV LD_LIBRARY_PATH=/opt/lib",
  "",
].join("\n");

/** The shared libraries that a program loads, except those of the C library, which every image has; none of a static program. */
function librariesOf(path: string): readonly string[] {
  let listed: string;
  try {
    listed = execFileSync("ldd", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return []; // ldd fails for a static program
  }
  const found = [...listed.matchAll(/ => (\/\S+) /g)].map(([, library = ""]) => library);
  return found.filter((library) => !/\/lib(?:c|m|dl|rt|pthread|resolv)\.so/.test(library)).sort();
}
