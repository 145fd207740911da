/** Pushes the images that `make docker-build IMAGE_PREFIX=…` built: `make docker-push IMAGE_PREFIX=…`. */
import { spawnSync } from "node:child_process";
import { ProgramError, runProgram } from "@grpc-lb/runtime/process";
import { hasImage } from "./docker.ts";
import { appNames, imageFlags, imageRef } from "./tag.ts";

void runProgram({ name: "docker-push", summary: "Pushes the images.", flags: imageFlags }, async ({ flags }) => {
  if (flags.imagePrefix === "") fail("say where to: make docker-push IMAGE_PREFIX=registry.example.com/team/");
  const images = appNames.map((app) => imageRef(app, flags));
  const missing = images.find((image) => !hasImage(image));
  if (missing !== undefined) fail(`${missing} is not built; run: make docker-build IMAGE_PREFIX=${flags.imagePrefix}`);
  for (const image of images) {
    process.stdout.write(`pushing ${image}\n`);
    if (spawnSync("docker", ["push", "--quiet", image], { stdio: ["ignore", "ignore", "inherit"] }).status !== 0)
      fail(`docker could not push ${image}; the reason stands above`);
  }
  return 0;
});

function fail(message: string): never {
  throw new ProgramError(message, { exitCode: 1 });
}
