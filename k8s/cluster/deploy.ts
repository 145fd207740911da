/**
 * `make kube-deploy`: deploys the registry, if the strategy has one, and then server, client-http and client-grpc with the images of
 * the last build. Checks all its requirements before it changes anything.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { choiceFlag, runProgram } from "@grpc-lb/program";
import { type BuiltImages, requireBuilt } from "../image/built.ts";
import { appNames, imageName, imagePrefixFlag, root } from "../image/tag.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "./local.ts";
import { nodesHaveImages } from "./node-images.ts";
import { namespaceLabels, ourNamespace, ours, requireNoForeignObjects, resourceOf } from "./objects.ts";
import { policyFlag, policyPatches, requireChoice } from "./policy.ts";
import { registryFlags, registryImages, registryOf } from "./registry.ts";
import { waitForRollout } from "./rollout.ts";
import { manifestsOf, strategies } from "./strategy.ts";

const flags = {
  imagePrefix: imagePrefixFlag,
  namespace: namespaceFlag,
  strategy: choiceFlag({
    help: "how client-grpc's calls are balanced",
    choices: strategies,
    default: "clusterip",
    metavar: "name",
  }),
  policy: policyFlag,
  ...registryFlags,
};

void runProgram({ name: "kube-deploy", summary: "Deploys server and clients.", flags }, async ({ flags, signal }) => {
  requireChoice(flags.policy, flags.strategy);
  const manifests = manifestsOf(flags.strategy);
  const registry = registryOf(flags.strategy, flags);
  const names = [...(registry ? [registry.name] : []), ...appNames];
  const built = requireBuilt(flags.imagePrefix);
  const kubectl = await createKubectl(flags.namespace, signal);
  const local = built.imagePrefix === "" ? requireLocalCluster(kubectl) : null;
  const images = local === null ? [] : await requireImages(built, signal);
  const rights = (await kindsIn(kubectl, manifests)).flatMap((kind) => [`create ${kind}`, `patch ${kind}`]);
  await requireRights(kubectl, [...rights, "list pods", "watch deployments.apps"]);
  const isMissing = (await namespaceLabels(kubectl)) === null;
  if (isMissing) await requireNamespaceIsWanted(kubectl, flags.namespace);
  else await requireNoForeignObjects(kubectl, names);

  if (isMissing) await createNamespace(kubectl);
  if (local !== null && (await nodesHaveImages(kubectl, built)))
    process.stdout.write("the nodes already have the images\n");
  else if (local !== null) await loadImages(local, images, signal);
  else process.stdout.write(`the nodes pull the images from ${built.imagePrefix}\n`);
  const given = registry ? registryImages(registry) : [];
  const tree = writeKustomization(manifests, kubectl.namespace, { built, policy: flags.policy, images: given });
  for (const app of names) {
    await kubectl.run(["apply", "-k", tree, "-l", `app=${app}`], { show: true, doing: `${app} was applied` });
    await waitForRollout(kubectl, app);
  }
  await kubectl.run(["get", "pods", "-l", `app in (${names.join(",")})`], { show: true });
  return 0;
});

/** The kinds of objects in a strategy's manifests, as resource names that `kubectl auth can-i` accepts. */
async function kindsIn(kubectl: Kubectl, manifests: string): Promise<string[]> {
  const text = await kubectl.run(["kustomize", join(root, "k8s", manifests)]);
  const found = new Set(
    [...text.matchAll(/^kind: (\w+)$/gm)].map(
      ([, kind = ""]) => resourceOf[kind] ?? stop(`${manifests} has a ${kind}, which objects.ts does not know`),
    ),
  );
  return [...found];
}

/**
 * Writes a kustomization on top of the manifests. It sets the tags of the built images, the registry's images and the policy. Each
 * namespace has its own folder, so that two deployments do not share one.
 */
function writeKustomization(
  manifests: string,
  namespace: string,
  options: { readonly built: BuiltImages; readonly policy: string; readonly images: readonly object[] },
): string {
  const { built, policy } = options;
  const tree = join(root, "k8s/dist/deploy", namespace);
  mkdirSync(tree, { recursive: true });
  const images = appNames.map((app) => ({
    name: `grpc-lb/${app}`,
    newName: imageName(app, built),
    newTag: built.tags[app],
  }));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`../../../${manifests}`],
    images: [...images, ...options.images],
    patches: policyPatches(policy),
  };
  writeFileSync(join(tree, "kustomization.yaml"), `${JSON.stringify(kustomization, null, 2)}\n`); // JSON is YAML
  return tree;
}

async function requireNamespaceIsWanted(kubectl: Kubectl, given: string): Promise<void> {
  if (given === "") {
    stop(
      `namespace ${kubectl.namespace} of the current context does not exist; set NAMESPACE=${kubectl.namespace} to create it`,
    );
  }
  const { stdout } = await kubectl.try(["auth", "can-i", "create", "namespaces"]);
  if (stdout.trim() !== "yes")
    stop(`namespace ${given} does not exist, and you are not allowed to create it; ask the cluster's admin`);
}

async function createNamespace(kubectl: Kubectl): Promise<void> {
  const [ourKey = "", ourValue = ""] = ours.split("=");
  const [managedKey = "", managedValue = ""] = ourNamespace.split("=");
  const labels = { [ourKey]: ourValue, [managedKey]: managedValue };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: kubectl.namespace, labels } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object), show: true });
}
