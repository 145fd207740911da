/** Bundles every app, builds its image and prints their sizes: `make docker-build`. */
import { chmodSync, globSync } from "node:fs";
import { join } from "node:path";
import { runProgram, textFlag } from "@grpc-lb/program";
import { runCommand, stop } from "../command.ts";
import { hasTools } from "../has-tools.ts";
import { namesOf, writeBuilt } from "./built.ts";
import { type Docker, requireDocker } from "./docker.ts";
import { baseOf, type InspectedImage, isPlatform } from "./platform.ts";
import { bytesAboveBase, type HistoryEntry, megabytes } from "./size.ts";
import { type AppName, appNames, contentTag, imageName, imagePrefixFlag, imageTree, root, version } from "./tag.ts";

const flags = {
  imagePrefix: imagePrefixFlag,
  nodeImage: textFlag({ help: "base image", default: "node:24-bookworm-slim", metavar: "image" }),
  platform: textFlag({
    help: "platform of the images, such as linux/arm64",
    default: "",
    defaultText: "the engine's",
  }),
};

void runProgram({ name: "docker-build", summary: "Builds the images.", flags }, async ({ flags, signal }) => {
  const { imagePrefix, nodeImage } = flags;
  if (!(await hasTools("docker-build", signal))) return 1;
  await bundle(signal);
  const docker = await requireDocker(signal);
  const wanted = flags.platform || docker.platform;
  if (flags.platform === "" && !(await docker.hasImage(nodeImage))) {
    const args = ["pull", "--quiet", nodeImage];
    await docker.run(args, `docker could not pull the base image ${nodeImage}; NODE_IMAGE=… sets another`);
  }
  const git = await runCommand("git", ["rev-parse", "HEAD"], { cwd: root, interruption: signal });
  const revision = git.code === 0 ? git.stdout.trim() : "unknown";

  const tags: Partial<Record<AppName, string>> = {};
  const ids: string[] = [];
  for (const app of appNames) {
    const what = imageName(app, { imagePrefix });
    process.stdout.write(`building ${what}\n`);
    readableByAll(imageTree(app));
    const values = [`APP=${app}`, `NODE_IMAGE=${nodeImage}`, `VERSION=${version}`, `REVISION=${revision}`];
    const args = values.flatMap((value) => ["--build-arg", value]);
    if (flags.platform !== "") args.push("--platform", flags.platform);
    const id = (
      await docker.run(
        ["build", "--quiet", "--file", join(root, "k8s/Dockerfile"), ...args, root],
        `docker could not build ${what}`,
        { doing: `${what} was built` },
      )
    ).trim();
    const [image]: [InspectedImage] = JSON.parse(await docker.run(["image", "inspect", id], `docker lost ${what}`));
    const base = baseOf(image);
    if (!isPlatform(base.platform, wanted)) {
      stop(
        `docker built ${what} for ${base.platform}, not for ${wanted}: the classic builder uses the local ${nodeImage}, which is of ` +
          `that platform; run: docker pull --platform ${wanted} ${nodeImage}, or build with BuildKit`,
      );
    }
    tags[app] = contentTag(app, base) ?? stop(`${app} is not bundled; run: make docker-build`);
    ids.push(id);
  }

  // All are built for the right platform: now they get their names, and the record that kube-deploy reads.
  const built = { imagePrefix, nodeImage, platform: wanted, tags: tags as Record<AppName, string> };
  const rows: [image: string, size: string][] = [["image", `above ${nodeImage}`]];
  for (const [i, app] of appNames.entries()) {
    const { byContent, byVersion } = namesOf(app, built);
    for (const name of [byContent, byVersion])
      await docker.run(["tag", ids[i] ?? "", name], `docker could not tag ${name}`);
    rows.push([byContent, megabytes(bytesAboveBase(await historyOf(docker, byContent)))]);
  }
  writeBuilt(built);
  const width = Math.max(...rows.map(([image]) => image.length));
  for (const [image, size] of rows) process.stdout.write(`${image.padEnd(width)}  ${size}\n`);
  return 0;
});

/** Bundles every app into the files of its image. */
async function bundle(interruption: AbortSignal): Promise<void> {
  const args = ["run-many", "-t", "bundle", "--output-style=static"];
  const options = { cwd: root, interruption, doing: "the apps were bundled" };
  const { code, stdout, stderr } = await runCommand(join(root, "node_modules/.bin/nx"), args, options);
  if (code !== 0) stop(`nx could not bundle the apps:\n${stdout}${stderr}`);
}

/** The image's user is not the one whose umask the bundle was written with. */
function readableByAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of globSync("**", { cwd: folder, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
}

async function historyOf(docker: Docker, image: string): Promise<HistoryEntry[]> {
  const format = ["--no-trunc", "--human=false", "--format", "{{json .}}"];
  const lines = await docker.run(["history", ...format, image], `docker could not report the size of ${image}`);
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
