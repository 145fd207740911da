import { createKubectl } from "../cluster/kubectl.ts";
import { localCluster } from "../cluster/local.ts";
import { root } from "../image/tag.ts";
import { makeOk } from "./make.ts";

/** The variable of make with the prefix of the images, for every target that uses images; none without a prefix. */
export const prefixVariables: Readonly<Record<string, string>> = process.env.IMAGE_PREFIX
  ? { IMAGE_PREFIX: process.env.IMAGE_PREFIX }
  : {};

/** The target of the Makefile that brings built images to the nodes; undefined if `kube-deploy` does it itself. */
export function deliveryTarget(hasPrefix: boolean, isLocal: boolean): "kube-load" | "docker-push" | undefined {
  if (!hasPrefix) return undefined;
  return isLocal ? "kube-load" : "docker-push"; // a cluster on this machine need not reach the registry
}

/** Builds the images of a checkout, and brings them to the nodes of the current context's cluster, or to the registry of their prefix. */
export async function provideImages(folder = root): Promise<void> {
  await makeOk("docker-build", prefixVariables, folder);
  const { view } = await createKubectl("");
  const target = deliveryTarget(prefixVariables.IMAGE_PREFIX !== undefined, localCluster(view) !== null);
  if (target !== undefined) await makeOk(target, prefixVariables, folder);
}

/** The same for this checkout, unless `make e2e` has done it for all stories. */
export async function buildImages(): Promise<void> {
  if (process.env.GRPC_LB_E2E_IMAGES !== "built") await provideImages();
}
