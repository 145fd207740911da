import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Flag, textFlag } from "@grpc-lb/program";

/** The apps that kube-deploy deploys, in their order. */
export const deployedApps = ["server", "client-http", "client-grpc"] as const;
export type DeployedApp = (typeof deployedApps)[number];
/** The apps that have an image. */
export const appNames = [...deployedApps, "compare", "control-plane"] as const;
export type AppName = (typeof appNames)[number];

/** The root of the repository: the context of every image. */
export const root = join(import.meta.dirname, "../..");

/** The tag in the manifests, which an image has in addition to the tag from its content. */
export const version: string = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;

/** A registry host with or without a port, and folders, in docker's syntax. */
const prefixPattern = /^[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*\/?$/;

/** The flag IMAGE_PREFIX of every program for images. Its value is empty or ends with a slash. */
export const imagePrefixFlag: Flag<string> = {
  ...textFlag({ help: "where the images go, such as registry.example.com/team/", default: "", metavar: "prefix" }),
  parse(text) {
    if (!prefixPattern.test(text))
      throw new RangeError(
        `must be the beginning of an image's name, such as registry.example.com/team/, got "${text}"`,
      );
    return text.endsWith("/") ? text : `${text}/`;
  },
};

/** An app's image, without a tag. */
export function imageName(app: AppName, { imagePrefix }: { readonly imagePrefix: string }): string {
  const slash = imagePrefix === "" || imagePrefix.endsWith("/") ? "" : "/";
  return `${imagePrefix}${slash}grpc-lb/${app}`;
}

/** The folder with the files of the app's image, written by k8s/bundle.ts. */
export function imageTree(app: AppName): string {
  return join(root, "apps", app, "dist/image");
}

/**
 * The tag of an app's image, made from its content: a changed image has another name and rolls its pods, an unchanged one does
 * not. Null before the app was bundled.
 *
 * @param base the facts about the base image: its platform, its layers
 */
export function contentTag(app: AppName, base: Readonly<Record<string, string>>): string | null {
  const files = treeFiles(imageTree(app));
  if (files.length === 0) return null;
  const dockerfile = readFileSync(join(root, "k8s/Dockerfile"), "utf8");
  const facts = Object.entries(base).map(([name, value]) => [`base ${name}`, value] as const);
  return tagOf([["Dockerfile", dockerfile], ...facts, ...files]);
}

/** The first 12 hex digits of a hash over names and contents, whatever their order. */
export function tagOf(parts: readonly (readonly [name: string, content: string | Uint8Array])[]): string {
  const hash = createHash("sha256");
  for (const [name, content] of [...parts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\0${Buffer.byteLength(content)}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

function treeFiles(folder: string): [string, Uint8Array][] {
  const entries = globSync("**", { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return paths.map((path) => [path.slice(folder.length + 1), readFileSync(path)]);
}
