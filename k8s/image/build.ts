/** Builds the image of every app from its bundle and says how large each is: `make docker-build`. */
import { spawnSync } from "node:child_process";
import { chmodSync, globSync } from "node:fs";
import { join } from "node:path";
import { ProgramError, runProgram, textFlag } from "@grpc-lb/runtime/process";
import { docker, hasImage } from "./docker.ts";
import { bytesAboveBase, type HistoryEntry, megabytes } from "./size.ts";
import { appNames, imageFlags, imageName, imageRef, imageTree, root, version } from "./tag.ts";

const flags = {
  ...imageFlags,
  platform: textFlag({
    help: "platform of the images, such as linux/arm64",
    default: "",
    defaultText: "this machine's",
  }),
};

void runProgram({ name: "docker-build", summary: "Builds the images.", flags }, async ({ flags }) => {
  const { nodeImage, platform } = flags;
  const images = appNames.map((app) => ({ app, image: imageRef(app, flags) }));
  if (platform === "" && !hasImage(nodeImage)) {
    if (spawnSync("docker", ["pull", nodeImage], { stdio: "inherit" }).status !== 0)
      throw new ProgramError(`there is no base image ${nodeImage} to be had; NODE_IMAGE=… names another`, {
        exitCode: 1,
      });
  }

  const git = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  const revision = git.status === 0 ? git.stdout.trim() : "unknown";
  const rows = images.map(({ app, image }) => {
    process.stdout.write(`building ${image}\n`);
    readableByAll(imageTree(app));
    const tags = ["--tag", image, "--tag", `${imageName(app, flags)}:${version}`];
    const values = [`APP=${app}`, `NODE_IMAGE=${nodeImage}`, `VERSION=${version}`, `REVISION=${revision}`];
    const args = [...tags, ...values.flatMap((value) => ["--build-arg", value])];
    if (platform !== "") args.push("--platform", platform);
    docker(
      ["build", "--quiet", "--file", join(root, "k8s/Dockerfile"), ...args, root],
      `docker could not build ${image}`,
    );
    return [image, megabytes(bytesAboveBase(historyOf(image)))] as const;
  });

  const width = Math.max(...rows.map(([image]) => image.length));
  for (const [image, size] of [["image", `above ${nodeImage}`], ...rows] as const)
    process.stdout.write(`${image.padEnd(width)}  ${size}\n`);
  return 0;
});

/** Another user runs the image than the one under whose umask the bundle was written. */
function readableByAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of globSync("**", { cwd: folder, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
}

function historyOf(image: string): HistoryEntry[] {
  const format = ["--no-trunc", "--human=false", "--format", "{{json .}}"];
  const lines = docker(["history", ...format, image], `docker could not tell the size of ${image}`);
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
