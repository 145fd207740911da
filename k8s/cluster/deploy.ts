/**
 * `make kube-deploy`: deploys server, client-http and client-grpc with the images of the last build, before them the registry and between
 * them the control plane and the proxy, if the strategy has one, and the components in COMPONENTS. Checks all its requirements before it changes anything.
 */
import { choiceFlag, runProgram } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { requireBuilt } from "../image/built.ts";
import { type DeployedApp, deployedApps, imagePrefixFlag } from "../image/tag.ts";
import { applySecrets, certsFlag, readSecrets } from "./certificates.ts";
import { type Companion, companionImages, companionOf, imageFlags } from "./companion.ts";
import {
  componentLabel,
  componentPatches,
  componentsFlag,
  removeOtherComponents,
  requireCombination,
} from "./components.ts";
import { applyComponents } from "./default-deny.ts";
import { readReplacement } from "./demands.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { builtImagesOf, writeKustomization } from "./kustomization.ts";
import { loadImages, requireImages, requireLocalCluster } from "./local.ts";
import { nodesHaveImages } from "./node-images.ts";
import {
  namespaceLabels,
  ourNamespace,
  ours,
  requireKinds,
  requireNoForeignObjects,
  resourceOf,
  servedResources,
} from "./objects.ts";
import { callsFromOutside, waitForOutside } from "./outside.ts";
import { clientPatch, policyFlag, requireChoice } from "./policy.ts";
import { waitForRollout } from "./rollout.ts";
import { controlPlaneStrategies, manifestsOf, type Strategy, strategies } from "./strategy.ts";

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
  components: componentsFlag,
  certs: certsFlag,
  ...imageFlags,
};

const mistaken = { STRATEGIES: "strategy" } as const;
const spec = { name: "kube-deploy", summary: "Deploys server and clients.", flags, mistaken };

void runProgram(spec, async ({ flags, signal }) => {
  requireChoice(flags.policy, flags.strategy);
  requireCombination(flags.components, flags.strategy);
  const secrets = readSecrets(flags.components, flags.certs);
  if (!(await hasTools("kube-deploy", signal))) return 1;
  const manifests = manifestsOf(flags.strategy);
  const companion = companionOf(flags.strategy);
  const steps = orderOf(flags.strategy, companion);
  const names = steps.map((step) => (typeof step === "string" ? step : step.name));
  const built = requireBuilt(flags.imagePrefix);
  const kubectl = await createKubectl(flags.namespace, signal);
  const local = built.imagePrefix === "" ? requireLocalCluster(kubectl) : null;
  const builtImages = local === null ? [] : await requireImages(built, signal);
  const env = flags.policy === "" ? [] : [{ name: "POLICY", value: flags.policy }];
  const images = companion === null ? [] : companionImages(companion, flags);
  const patches = await componentPatches(kubectl, flags.components);
  const write = (more: readonly object[] = []) =>
    writeKustomization(`deploy/${kubectl.namespace}`, {
      manifests,
      components: flags.components,
      images: [...builtImagesOf(built), ...images],
      patches: [...clientPatch(env), ...patches, ...more],
    });
  const rendered = await kubectl.run(["kustomize", write()]);
  const kinds = [...kindsIn(rendered), ...(secrets.length > 0 ? ["secrets"] : [])];
  const served = await servedResources(kubectl);
  requireKinds(kinds, served);
  const rights = kinds.flatMap((kind) => [`create ${kind}`, `patch ${kind}`]);
  const reads = ["list pods", "watch deployments.apps", ...(callsFromOutside(flags.strategy) ? ["get services"] : [])];
  await requireRights(kubectl, [...rights, ...reads]);
  const isMissing = (await namespaceLabels(kubectl)) === null;
  if (isMissing) await requireNamespaceIsWanted(kubectl, flags.namespace);
  else await requireNoForeignObjects(kubectl, names);

  const { clientsFirst, failsCalls } = await readReplacement(kubectl, flags.components, flags.strategy);
  if (failsCalls)
    process.stderr.write(
      "calls fail until server and clients are replaced; docs/how-to/tls.md has steps without that\n",
    );

  if (isMissing) await createNamespace(kubectl);
  if (local !== null && (await nodesHaveImages(kubectl, built)))
    process.stdout.write("the nodes already have the images\n");
  else if (local !== null) await loadImages(local, builtImages, signal);
  else process.stdout.write(`the nodes pull the images from ${built.imagePrefix}\n`);
  await applySecrets(kubectl, secrets);
  await removeOtherComponents(kubectl, flags.components, served);
  if (rendered.includes(`${componentLabel}: `)) await applyComponents(kubectl, flags.components, componentLabel, write);
  const learnAddress = async () => env.push(await waitForOutside(kubectl, flags.strategy, signal));
  if (clientsFirst && callsFromOutside(flags.strategy)) await learnAddress();
  for (const step of clientsFirst ? [...steps.filter(isClient), ...steps.filter((step) => !isClient(step))] : steps) {
    const isApp = typeof step === "string";
    const name = isApp ? step : step.name;
    const label = isApp ? `app=${name}` : `app.kubernetes.io/component=${step.component}`;
    await kubectl.run(["apply", "-k", write(), "-l", label], { show: true, doing: `${name} was applied` });
    await waitForRollout(kubectl, name);
    if (name === "server" && !clientsFirst && callsFromOutside(flags.strategy)) await learnAddress();
  }
  await kubectl.run(["get", "pods", "-l", `app in (${names.join(",")})`], { show: true });
  return 0;
});

/** What is deployed in one step: an app, or what has the label `app.kubernetes.io/component` with this value. */
type Step = DeployedApp | { readonly name: string; readonly component: string };

const isClient = (step: Step) => step === "client-http" || step === "client-grpc";

/**
 * What is deployed one after the other: a registry before the servers that register, a control plane before the proxy and the clients
 * that ask it, a proxy before the clients that call it.
 */
function orderOf(strategy: Strategy, companion: Companion | null): readonly Step[] {
  const [server, ...clients] = deployedApps;
  if (companion?.component === "registry") return [companion, ...deployedApps];
  const controlPlane = { name: "control-plane", component: "control-plane" };
  const between: Step[] = controlPlaneStrategies.includes(strategy) ? [controlPlane] : [];
  if (companion) between.push(companion);
  return [server, ...between, ...clients];
}

/** The kinds of objects in manifests, as resource names that `kubectl auth can-i` accepts. */
function kindsIn(manifests: string): string[] {
  const found = new Set(
    [...manifests.matchAll(/^kind: (\w+)$/gm)].map(
      ([, kind = ""]) => resourceOf[kind] ?? stop(`the manifests have a ${kind}, which objects.ts does not know`),
    ),
  );
  return [...found];
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
