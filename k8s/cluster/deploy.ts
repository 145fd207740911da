/**
 * `make kube-deploy`: deploys server, client-http and client-grpc with the images of the last build, before them the registry and between
 * them the proxy, if the strategy has one. Checks all its requirements before it changes anything.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { choiceFlag, runProgram } from "@grpc-lb/program";
import { type BuiltImages, requireBuilt } from "../image/built.ts";
import { type DeployedApp, deployedApps, imageName, imagePrefixFlag, root } from "../image/tag.ts";
import { type Companion, companionImages, companionOf, imageFlags } from "./companion.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "./local.ts";
import { nodesHaveImages } from "./node-images.ts";
import { namespaceLabels, ourNamespace, ours, requireNoForeignObjects, resourceOf } from "./objects.ts";
import { callsFromOutside, waitForOutside } from "./outside.ts";
import { clientPatch, policyFlag, requireChoice } from "./policy.ts";
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
  ...imageFlags,
};

void runProgram({ name: "kube-deploy", summary: "Deploys server and clients.", flags }, async ({ flags, signal }) => {
  requireChoice(flags.policy, flags.strategy);
  const manifests = manifestsOf(flags.strategy);
  const companion = companionOf(flags.strategy);
  const steps = orderOf(companion);
  const names = steps.map((step) => (typeof step === "string" ? step : step.name));
  const built = requireBuilt(flags.imagePrefix);
  const kubectl = await createKubectl(flags.namespace, signal);
  const local = built.imagePrefix === "" ? requireLocalCluster(kubectl) : null;
  const builtImages = local === null ? [] : await requireImages(built, signal);
  const rights = (await kindsIn(kubectl, manifests)).flatMap((kind) => [`create ${kind}`, `patch ${kind}`]);
  const reads = ["list pods", "watch deployments.apps", ...(callsFromOutside(flags.strategy) ? ["get services"] : [])];
  await requireRights(kubectl, [...rights, ...reads]);
  const isMissing = (await namespaceLabels(kubectl)) === null;
  if (isMissing) await requireNamespaceIsWanted(kubectl, flags.namespace);
  else await requireNoForeignObjects(kubectl, names);

  if (isMissing) await createNamespace(kubectl);
  if (local !== null && (await nodesHaveImages(kubectl, built)))
    process.stdout.write("the nodes already have the images\n");
  else if (local !== null) await loadImages(local, builtImages, signal);
  else process.stdout.write(`the nodes pull the images from ${built.imagePrefix}\n`);
  const env = flags.policy === "" ? [] : [{ name: "POLICY", value: flags.policy }];
  const images = companion === null ? [] : companionImages(companion, flags);
  const write = () => writeKustomization(manifests, kubectl.namespace, { built, images, env });
  for (const step of steps) {
    const isApp = typeof step === "string";
    const name = isApp ? step : step.name;
    const label = isApp ? `app=${name}` : `app.kubernetes.io/component=${step.component}`;
    await kubectl.run(["apply", "-k", write(), "-l", label], { show: true, doing: `${name} was applied` });
    await waitForRollout(kubectl, name);
    if (name === "server" && callsFromOutside(flags.strategy))
      env.push(await waitForOutside(kubectl, flags.strategy, signal));
  }
  await kubectl.run(["get", "pods", "-l", `app in (${names.join(",")})`], { show: true });
  return 0;
});

/** What is deployed one after the other: a registry before the servers that register, a proxy before the clients that call it. */
function orderOf(companion: Companion | null): readonly (DeployedApp | Companion)[] {
  if (companion === null) return deployedApps;
  const [server, ...clients] = deployedApps;
  return companion.component === "registry" ? [companion, ...deployedApps] : [server, companion, ...clients];
}

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
 * Writes a kustomization on top of the manifests. It sets the tags of the built images, other images and client-grpc's variables. Each
 * namespace has its own folder, so that two deployments do not share one.
 */
function writeKustomization(
  manifests: string,
  namespace: string,
  options: {
    readonly built: BuiltImages;
    readonly images: readonly object[];
    readonly env: readonly { readonly name: string; readonly value: string }[];
  },
): string {
  const { built, env } = options;
  const tree = join(root, "k8s/dist/deploy", namespace);
  mkdirSync(tree, { recursive: true });
  const images = deployedApps.map((app) => ({
    name: `grpc-lb/${app}`,
    newName: imageName(app, built),
    newTag: built.tags[app],
  }));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`../../../${manifests}`],
    images: [...images, ...options.images],
    patches: clientPatch(env),
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
