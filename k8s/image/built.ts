import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stop } from "../command.ts";
import { type AppName, appNames, imageName, root, version } from "./tag.ts";

/** The images that were built last: what kube-load, docker-push and kube-deploy work with. */
export interface BuiltImages {
  readonly imagePrefix: string;
  readonly nodeImage: string;
  readonly platform: string;
  /** The tag of each app's image, made from its content. */
  readonly tags: Readonly<Record<AppName, string>>;
}

const builtFile = join(root, "k8s/dist/images.json");

/** Notes what was built, in a file that is not committed. */
export function writeBuilt(built: BuiltImages, file = builtFile): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(built, null, 2)}\n`);
  renameSync(`${file}.${process.pid}`, file); // whole, whoever reads it meanwhile
}

/**
 * The images that were built last; ends the program when there are none, or when they go elsewhere than asked.
 *
 * @param imagePrefix where they have to go; empty for wherever they do
 */
export function requireBuilt(imagePrefix: string, file = builtFile): BuiltImages {
  const built = readBuilt(file);
  const given = imagePrefix === "" ? "" : ` IMAGE_PREFIX=${imagePrefix}`;
  if (built === null) stop(`the images are not built; run: make docker-build${given}`);
  if (imagePrefix !== "" && imagePrefix !== built.imagePrefix) {
    stop(
      `the images that were built last are ${built.imagePrefix}grpc-lb/*, not ${imagePrefix}grpc-lb/*; ` +
        `run: make docker-build docker-push${given}`,
    );
  }
  return built;
}

function readBuilt(file: string): BuiltImages | null {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null; // not there, or from another time: both are mended by a build
  }
}

/** An image's names, as docker takes them: with the tag from its content, and with the version that the manifests name. */
export function namesOf(app: AppName, built: BuiltImages): { readonly byContent: string; readonly byVersion: string } {
  const name = imageName(app, built);
  return { byContent: `${name}:${built.tags[app]}`, byVersion: `${name}:${version}` };
}

/** The images of all apps, by the tags from their content. */
export function refsOf(built: BuiltImages): string[] {
  return appNames.map((app) => namesOf(app, built).byContent);
}
