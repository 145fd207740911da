/** Pushes the images that `make docker-build IMAGE_PREFIX=…` built: `make docker-push IMAGE_PREFIX=…`. */
import { runProgram } from "@grpc-lb/program";
import { stop } from "../command.ts";
import { hasTools } from "../has-tools.ts";
import { refsOf, requireBuilt } from "./built.ts";
import { requireDocker } from "./docker.ts";
import { imagePrefixFlag } from "./tag.ts";

const flags = { imagePrefix: imagePrefixFlag };

void runProgram({ name: "docker-push", summary: "Pushes the images.", flags }, async ({ flags, signal }) => {
  if (!(await hasTools("docker-push", signal))) return 1;
  const built = requireBuilt(flags.imagePrefix);
  if (built.imagePrefix === "")
    stop(
      "the images have no registry in their names; run: make docker-build docker-push IMAGE_PREFIX=registry.example.com/team/",
    );
  const docker = await requireDocker(signal);
  for (const image of refsOf(built)) {
    if (!(await docker.hasImage(image)))
      stop(`docker no longer has the image ${image}; run: make docker-build IMAGE_PREFIX=${built.imagePrefix}`);
  }
  for (const image of refsOf(built)) {
    process.stdout.write(`pushing ${image}\n`);
    await docker.run(["push", "--quiet", image], `docker could not push ${image}`, { doing: `${image} was pushed` });
  }
  return 0;
});
