/** Takes the built images to the nodes of a cluster on this machine: `make kube-load`. */
import { runProgram } from "@grpc-lb/runtime/process";
import { imageFlags } from "../image/tag.ts";
import { createKubectl } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster, sandboxFlag } from "./local.ts";

const flags = { ...imageFlags, sandbox: sandboxFlag };

void runProgram({ name: "kube-load", summary: "Loads the images.", flags }, async ({ flags }) => {
  const cluster = await requireLocalCluster(await createKubectl(""), flags.sandbox);
  loadImages(cluster, requireImages(flags));
  return 0;
});
