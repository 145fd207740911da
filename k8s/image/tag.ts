import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type FlagValues, ProgramError, textFlag } from "@grpc-lb/runtime/process";

/** The apps that have an image, in the order in which they are deployed. */
export const appNames = ["server", "client-http", "client-grpc"] as const;
export type AppName = (typeof appNames)[number];

/** The root of the repository: the context of every image. */
export const root = join(import.meta.dirname, "../..");

/** The tag that the manifests name, and that an image carries beside the one made from its content. */
export const version: string = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;

/** The flags of every program that deals with images: IMAGE_PREFIX and NODE_IMAGE. */
export const imageFlags = {
  imagePrefix: textFlag({ help: "where the images go, such as registry.example.com/team/", default: "" }),
  nodeImage: textFlag({ help: "base image", default: "node:24-bookworm-slim", metavar: "image" }),
};
/** The values of `imageFlags`. */
export type ImageOptions = FlagValues<typeof imageFlags>;

/** An app's image, without a tag. */
export function imageName(app: AppName, { imagePrefix }: ImageOptions): string {
  const slash = imagePrefix === "" || imagePrefix.endsWith("/") ? "" : "/";
  return `${imagePrefix}${slash}grpc-lb/${app}`;
}

/** An app's image with the tag made from its content; throws before the app was bundled. */
export function imageRef(app: AppName, options: ImageOptions): string {
  const tag = contentTag(app, options);
  if (tag === null) throw new ProgramError(`${app} is not built; run: make docker-build`, { exitCode: 1 });
  return `${imageName(app, options)}:${tag}`;
}

/** The folder with what the app's image holds, written by k8s/bundle.ts. */
export function imageTree(app: AppName): string {
  return join(root, "apps", app, "dist/image");
}

/**
 * The tag of an app's image: made from what goes into it, so that a changed image has a changed name and rolls its pods, and
 * an unchanged one does not. Null before the app was bundled.
 */
export function contentTag(app: AppName, options: ImageOptions): string | null {
  const files = treeFiles(imageTree(app));
  if (files.length === 0) return null;
  const dockerfile = readFileSync(join(root, "k8s/Dockerfile"), "utf8");
  return tagOf([["Dockerfile", dockerfile], ["NODE_IMAGE", options.nodeImage], ...files]);
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
