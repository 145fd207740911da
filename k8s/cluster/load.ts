/** Takes the images that were built last to the nodes of a cluster on this machine: `make kube-load`. */
import { runProgram } from "@grpc-lb/program";
import { requireBuilt } from "../image/built.ts";
import { imagePrefixFlag } from "../image/tag.ts";
import { createKubectl } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster, sandboxFlag } from "./local.ts";

const flags = { imagePrefix: imagePrefixFlag, sandbox: sandboxFlag };

void runProgram({ name: "kube-load", summary: "Loads the images.", flags }, async ({ flags, signal }) => {
  const cluster = requireLocalCluster(await createKubectl("", signal), flags.sandbox);
  await loadImages(cluster, await requireImages(requireBuilt(flags.imagePrefix), signal), signal);
  return 0;
});
