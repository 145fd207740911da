import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stop } from "../command.ts";
import { type AppName, appNames, imageName, root, version } from "./tag.ts";

/** The images of the last build, which kube-load, docker-push and kube-deploy use. */
export interface BuiltImages {
  readonly imagePrefix: string;
  readonly nodeImage: string;
  readonly platform: string;
  /** The tag of each app's image, made from its content. */
  readonly tags: Readonly<Record<AppName, string>>;
}

const builtFile = join(root, "k8s/dist/images.json");

/** Records the build in a file that is not committed. */
export function writeBuilt(built: BuiltImages, file = builtFile): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(built, null, 2)}\n`);
  renameSync(`${file}.${process.pid}`, file); // atomic for concurrent readers
}

/**
 * The images of the last build; ends the program if there are none or if they have another prefix.
 *
 * @param imagePrefix the prefix they must have; empty for any
 */
export function requireBuilt(imagePrefix: string, file = builtFile): BuiltImages {
  const built = readBuilt(file);
  const given = imagePrefix === "" ? "" : ` IMAGE_PREFIX=${imagePrefix}`;
  if (built === null) stop(`the images are not built; run: make docker-build${given}`);
  const missing = appNames.find((app) => built.tags[app] === undefined);
  if (missing !== undefined) stop(`the image of ${missing} is not built; run: make docker-build${given}`);
  if (imagePrefix !== "" && imagePrefix !== built.imagePrefix) {
    stop(
      `the images of the last build are ${built.imagePrefix}grpc-lb/*, not ${imagePrefix}grpc-lb/*; ` +
        `run: make docker-build docker-push${given}`,
    );
  }
  return built;
}

function readBuilt(file: string): BuiltImages | null {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null; // missing or unreadable: a build fixes both
  }
}

/** An image's full names: with the tag from its content, and with the version in the manifests. */
export function namesOf(app: AppName, built: BuiltImages): { readonly byContent: string; readonly byVersion: string } {
  const name = imageName(app, built);
  return { byContent: `${name}:${built.tags[app]}`, byVersion: `${name}:${version}` };
}

/** The images of all apps, by the tags from their content. */
export function refsOf(built: BuiltImages): string[] {
  return appNames.map((app) => namesOf(app, built).byContent);
}
