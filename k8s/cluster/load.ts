/** Loads the images of the last build into the nodes of a cluster on this machine: `make kube-load`. */
import { runProgram } from "@grpc-lb/program";
import { requireBuilt } from "../image/built.ts";
import { imagePrefixFlag } from "../image/tag.ts";
import { createKubectl } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "./local.ts";

const flags = { imagePrefix: imagePrefixFlag };

void runProgram({ name: "kube-load", summary: "Loads the images.", flags }, async ({ flags, signal }) => {
  const cluster = requireLocalCluster(await createKubectl("", signal));
  await loadImages(cluster, await requireImages(requireBuilt(flags.imagePrefix), signal), signal);
  return 0;
});
