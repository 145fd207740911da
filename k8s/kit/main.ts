/**
 * Packs everything that a room without a network needs into one archive: this checkout, npm's cache for it, and the images of the
 * last build: `make kit`. The cache is for the machine's own platform. `sh grpc-lb-kit/use.sh` uses it.
 */
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFlag, runProgram, textFlag } from "@grpc-lb/program";
import { runCommand, stop } from "../command.ts";
import { hasTools } from "../has-tools.ts";
import { namesOf, requireBuilt } from "../image/built.ts";
import { requireDocker } from "../image/docker.ts";
import { megabytes } from "../image/size.ts";
import { appNames, root } from "../image/tag.ts";
import { findImages } from "./find-images.ts";

const archive = join(root, "dist/grpc-lb-kit.tar");
const flags = {
  kitImages: listFlag(
    textFlag({ help: "further images that docker has, such as kindest/node:v1.34.0", default: "", metavar: "image" }),
  ),
};

void runProgram(
  { name: "kit", summary: "Packs a kit for a room without a network.", flags },
  async ({ flags, signal }) => {
    if (!(await hasTools("kit", signal))) return 1;
    const run = async (what: string, command: string, args: readonly string[], { cwd = root, env = {} } = {}) => {
      const { code, stderr } = await runCommand(command, args, {
        cwd,
        env,
        interruption: signal,
        doing: "the kit was packed",
      });
      if (code !== 0) stop(`${what}:\n${stderr.trim()}`);
    };
    const docker = await requireDocker(signal);
    const built = requireBuilt("");
    const own = appNames.flatMap((app) => Object.values(namesOf(app, built)));
    const images: string[] = [];
    for (const image of own)
      if (await docker.hasImage(image)) images.push(image);
      else stop(`docker no longer has the image ${image}; run: make docker-build`);
    for (const image of flags.kitImages)
      if (await docker.hasImage(image)) images.push(image);
      else stop(`docker does not have the image ${image}; run: docker pull ${image}`);
    for (const image of findImages(manifests()))
      if (await docker.hasImage(image)) images.push(image);
      else process.stdout.write(`without ${image}, which docker does not have; docker pull ${image} gets it\n`);

    mkdirSync(dirname(archive), { recursive: true });
    const work = mkdtempSync(join(dirname(archive), "kit-"));
    try {
      const kit = join(work, "grpc-lb-kit");
      const checkout = join(kit, "grpc-lb");
      mkdirSync(checkout, { recursive: true });
      process.stdout.write("packing the last commit\n");
      await run("git could not pack the checkout", "git", ["archive", "--output", join(work, "checkout.tar"), "HEAD"]);
      await run("tar could not unpack the checkout", "tar", ["xf", join(work, "checkout.tar")], { cwd: checkout });
      process.stdout.write("packing npm's cache: an installation into an empty folder\n");
      const env = { npm_config_cache: join(kit, "npm-cache") };
      await run("npm could not fill the cache", "sh", [".ci/install.sh", "--include=dev"], { cwd: checkout, env });
      rmSync(join(checkout, "node_modules"), { recursive: true });
      rmSync(join(kit, "npm-cache/_logs"), { recursive: true, force: true });
      process.stdout.write(`packing ${images.join(" ")}\n`);
      await docker.run(["save", "--output", join(kit, "images.tar"), ...images], "docker could not save the images");
      await run("gzip could not pack the images", "gzip", ["-1", join(kit, "images.tar")]);
      mkdirSync(join(checkout, "k8s/dist"), { recursive: true });
      copyFileSync(join(root, "k8s/dist/images.json"), join(checkout, "k8s/dist/images.json"));
      writeFileSync(join(kit, "kit.conf"), `registry=${await registry(signal)}\n`);
      copyFileSync(join(root, "k8s/kit/use.sh"), join(kit, "use.sh"));
      await run("tar could not write the archive", "tar", ["cf", archive, "-C", work, "grpc-lb-kit"]);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    process.stdout.write(`${archive}  ${megabytes(statSync(archive).size)}, for ${process.platform} ${process.arch}\n`);
    process.stdout.write("use it: tar xf grpc-lb-kit.tar && sh grpc-lb-kit/use.sh\n");
    return 0;
  },
);

/** The address by which npm's cache is found, without a user and a password. */
async function registry(signal: AbortSignal): Promise<string> {
  const { stdout } = await runCommand("npm", ["config", "get", "registry"], { interruption: signal });
  const url = new URL(stdout.trim());
  [url.username, url.password] = ["", ""];
  return url.href;
}

/** The texts of all manifests. */
function manifests(): string[] {
  const files = globSync("k8s/{base,components,overlays}/**/*.yaml", { cwd: root });
  return files.map((file) => readFileSync(join(root, file), "utf8"));
}
