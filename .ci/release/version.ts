import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files outside the packages that contain the version: manifests, the Dockerfile's comments, the examples, and the root. */
const places = [
  "package.json",
  "examples/*/package.json",
  "k8s/Dockerfile",
  "k8s/{base,components,overlays}/**/*.yaml",
];
const mention =
  /("version": "|"@grpc-lb\/[a-z]+": "\^|\bversion: |image: grpc-lb\/[a-z-]+:|VERSION=|-t grpc-lb\/\w+:)(\d+\.\d+\.\d+[^\s"]*)/g;

export function readVersion(folder: string): string {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}

/** Replaces the version in all files that contain it and are no packages. */
export function setVersion(folder: string, from: string, to: string): void {
  for (const path of globSync(places, { cwd: folder })) {
    const file = join(folder, path);
    const text = readFileSync(file, "utf8");
    const changed = text.replaceAll(mention, (all, before: string, found: string) =>
      found === from ? before + to : all,
    );
    if (changed !== text) writeFileSync(file, changed);
  }
}

/** A private package has no changelog: nobody installs it. */
export function removePrivateChangelogs(folder: string): void {
  for (const path of globSync(["protos/package.json", "{libs,apps}/*/package.json", "k8s/package.json"], {
    cwd: folder,
  })) {
    const { private: isPrivate } = JSON.parse(readFileSync(join(folder, path), "utf8"));
    if (isPrivate) rmSync(join(folder, path, "../CHANGELOG.md"), { force: true });
  }
}

/** The section of a changelog for a version, without its heading. */
export function readChanges(changelog: string, version: string): string {
  const [, section = ""] = changelog.split(`\n## ${version}\n`);
  return (section.split("\n## ")[0] ?? "").trim();
}
