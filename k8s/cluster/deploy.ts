/**
 * Deploys server, client-http and client-grpc with the images that were built last: `make kube-deploy`. Whatever is missing
 * is said before anything is changed.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram, textFlag } from "@grpc-lb/runtime/process";
import { appNames, contentTag, type ImageOptions, imageFlags, imageName, imageRef, root } from "../image/tag.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster, sandboxFlag } from "./local.ts";
import { kinds, namespaceLabels, ourNamespace, ours, requireNoForeignObjects } from "./objects.ts";
import { waitForRollout } from "./rollout.ts";

const flags = {
  ...imageFlags,
  sandbox: sandboxFlag,
  namespace: namespaceFlag,
  strategy: textFlag({ help: "how calls are balanced", default: "clusterip", metavar: "name" }),
};

void runProgram({ name: "kube-deploy", summary: "Deploys server and clients.", flags }, async ({ flags, signal }) => {
  const manifests = strategyFolder(flags.strategy);
  for (const app of appNames) imageRef(app, flags);
  const kubectl = await createKubectl(flags.namespace);
  const local = flags.imagePrefix === "" ? await requireLocalCluster(kubectl, flags.sandbox) : null;
  const images = local === null ? [] : requireImages(flags);
  const rights = kinds.flatMap((kind) => [`create ${kind}`, `patch ${kind}`]);
  await requireRights(kubectl, [...rights, "list pods", "watch deployments.apps"]);
  const isMissing = (await namespaceLabels(kubectl)) === null;
  if (isMissing) await requireNamespaceIsWanted(kubectl, flags.namespace);
  else await requireNoForeignObjects(kubectl, appNames);

  if (isMissing) await createNamespace(kubectl);
  if (local !== null) loadImages(local, images);
  const tree = writeKustomization(manifests, flags);
  for (const app of appNames) {
    await kubectl.run(["apply", "-k", tree, "-l", `app=${app}`], { show: true, signal });
    await waitForRollout(kubectl, app, signal);
  }
  await kubectl.run(["get", "pods", "-l", `app in (${appNames.join(",")})`], { show: true });
  return 0;
});

/** The manifests of a strategy: `clusterip` is the base, every other one an overlay of that name. */
function strategyFolder(strategy: string): string {
  const overlays = join(root, "k8s/overlays");
  const known = ["clusterip", ...(existsSync(overlays) ? readdirSync(overlays).sort() : [])];
  if (!known.includes(strategy)) stop(`there is no STRATEGY ${strategy}; known: ${known.join(", ")}`);
  return strategy === "clusterip" ? "base" : `overlays/${strategy}`;
}

/** Writes what puts the tags of the built images into the manifests, outside of what is committed. */
function writeKustomization(manifests: string, options: ImageOptions): string {
  const tree = join(root, "k8s/dist/deploy");
  mkdirSync(tree, { recursive: true });
  const images = appNames.map((app) => ({
    name: `grpc-lb/${app}`,
    newName: imageName(app, options),
    newTag: contentTag(app, options),
  }));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`../../${manifests}`],
    images,
  };
  writeFileSync(join(tree, "kustomization.yaml"), `${JSON.stringify(kustomization, null, 2)}\n`); // JSON is YAML
  return tree;
}

async function requireNamespaceIsWanted(kubectl: Kubectl, given: string): Promise<void> {
  if (given === "") {
    stop(
      `namespace ${kubectl.namespace} of the current context does not exist; NAMESPACE=${kubectl.namespace} creates it`,
    );
  }
  const { stdout } = await kubectl.try(["auth", "can-i", "create", "namespaces"]);
  if (stdout.trim() !== "yes")
    stop(`namespace ${given} does not exist, and you may not create it; ask the cluster's admin`);
}

async function createNamespace(kubectl: Kubectl): Promise<void> {
  const [ourKey = "", ourValue = ""] = ours.split("=");
  const [managedKey = "", managedValue = ""] = ourNamespace.split("=");
  const labels = { [ourKey]: ourValue, [managedKey]: managedValue };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: kubectl.namespace, labels } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object), show: true });
}
