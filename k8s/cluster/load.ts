/** Loads the images of the last build into the nodes of a cluster on this machine: `make kube-load`. */
import { runProgram } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { requireBuilt } from "../image/built.ts";
import { imagePrefixFlag } from "../image/tag.ts";
import { createKubectl } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "./local.ts";

const flags = { imagePrefix: imagePrefixFlag };

void runProgram({ name: "kube-load", summary: "Loads the images.", flags }, async ({ flags, signal }) => {
  if (!(await hasTools("kube-load", signal))) return 1;
  const cluster = requireLocalCluster(await createKubectl("", signal));
  await loadImages(cluster, await requireImages(requireBuilt(flags.imagePrefix), signal), signal);
  return 0;
});
