/**
 * Injects Istio sidecars into the pods of server and clients, and removes them: `make istio-inject`, `make istio-eject`. The label
 * is on the pod templates and not on the namespace, so that no other pods get a sidecar.
 */
import { runProgram, textFlag } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { type DeployedApp, deployedApps } from "../image/tag.ts";
import { findInjectionLabels, injectLabel, type Labels, revisionLabel } from "./injection.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { namespaceLabels } from "./objects.ts";
import { waitForRollout } from "./rollout.ts";

const action = process.argv.splice(2, 1)[0];
const flags = {
  namespace: namespaceFlag,
  istioRev: textFlag({ help: "revision of Istio", default: "", defaultText: "the only one", metavar: "name" }),
};

if (action === "inject") {
  void runProgram({ name: "istio-inject", summary: "Injects sidecars.", flags }, async ({ flags, signal }) => {
    if (!(await hasTools("istio-inject", signal))) return 1;
    const kubectl = await createKubectl(flags.namespace, signal);
    const labels = await requireIstio(kubectl, flags.istioRev);
    await requireDeployments(kubectl);
    await requireSidecarsAreAdmitted(kubectl);

    await label(kubectl, labels);
    let without = await podsWithoutProxy(kubectl);
    if (without.length > 0) {
      // The labels are older than istiod, and its webhook sees only new pods.
      for (const app of new Set(without.map(({ app }) => app))) {
        await kubectl.run(["rollout", "restart", `deployment/${app}`], { show: true });
        await waitForRollout(kubectl, app);
      }
      without = await podsWithoutProxy(kubectl);
    }
    if (without.length > 0) {
      const names = without.map(({ pod }) => pod).join(", ");
      stop(`istiod injected no sidecar into ${names}; see its log, or remove the label: make istio-eject`);
    }
    const given = flags.namespace === "" ? "" : ` NAMESPACE=${flags.namespace}`;
    process.stdout.write(
      `every pod has its sidecar; see how client-grpc now reaches all servers: make kube-logs${given}\n` +
        `and back: make istio-eject${given}\n`,
    );
    return 0;
  });
} else if (action === "eject") {
  void runProgram({ name: "istio-eject", summary: "Ejects sidecars.", flags }, async ({ flags, signal }) => {
    if (!(await hasTools("istio-eject", signal))) return 1;
    const kubectl = await createKubectl(flags.namespace, signal);
    await requireDeployments(kubectl);
    await label(kubectl, { [injectLabel]: null, [revisionLabel]: null });
    const left = (await listPods(kubectl)).filter(({ hasProxy }) => hasProxy);
    if (left.length === 0) {
      process.stdout.write("no pod has a sidecar\n");
      return 0;
    }
    stop(
      `${left.map(({ pod }) => pod).join(", ")} still have a sidecar, because namespace ${kubectl.namespace} enables injection; ` +
        `if it is yours: kubectl label namespace ${kubectl.namespace} istio-injection- istio.io/rev-`,
    );
  });
} else {
  process.stderr.write("istio: the argument must be inject or eject\n");
  process.exitCode = 2;
}

/**
 * The labels that make istiod inject; ends the program if no istiod would. Without the right to read the webhooks it returns the plain
 * label, and the pods show whether that worked.
 */
async function requireIstio(kubectl: Kubectl, revision: string): Promise<Labels> {
  const advice = "install Istio first: https://istio.io/latest/docs/setup/install/istioctl ";
  const select = ["-l", "app=istiod", "--all-namespaces", "-o", "json"];
  const istiod = await kubectl.try(["get", "deployments", ...select]);
  if (istiod.code === 0) {
    const { items } = JSON.parse(istiod.stdout);
    if (items.length === 0) stop(`this cluster has no istiod; ${advice}`);
    // biome-ignore lint/suspicious/noExplicitAny: an object of the API
    if (!items.some(({ status }: any) => (status?.readyReplicas ?? 0) > 0))
      stop("istiod is not ready; see: kubectl get pods --all-namespaces -l app=istiod");
  }
  const injectors = await kubectl.try([
    "get",
    "mutatingwebhookconfigurations",
    "-l",
    "app=sidecar-injector",
    "-o",
    "json",
  ]);
  if (injectors.code !== 0)
    return revision === "" ? { [injectLabel]: "true" } : { [injectLabel]: "true", [revisionLabel]: revision };
  const webhooks = JSON.parse(injectors.stdout).items.flatMap(({ webhooks }: { webhooks?: [] }) => webhooks ?? []);
  if (webhooks.length === 0) stop(`istiod has no webhook that injects sidecars; ${advice}`);
  const found = findInjectionLabels(webhooks, (await namespaceLabels(kubectl)) ?? {}, revision);
  if ("error" in found) stop(found.error);
  return found.labels;
}

async function requireDeployments(kubectl: Kubectl): Promise<void> {
  await requireRights(kubectl, [
    "get deployments.apps",
    "patch deployments.apps",
    "watch deployments.apps",
    "list pods",
  ]);
  for (const app of deployedApps) {
    const { code, problem } = await kubectl.try(["get", "deployment", app, "-o", "name"]);
    if (code === 0) continue;
    if (!problem.includes("NotFound")) stop(problem);
    stop(`namespace ${kubectl.namespace} has no ${app}; run make kube-deploy first, with the same NAMESPACE`);
  }
}

/** Istio's init container changes the pod's network, which Pod Security allows only in a privileged namespace. */
async function requireSidecarsAreAdmitted(kubectl: Kubectl): Promise<void> {
  const level = (await namespaceLabels(kubectl))?.["pod-security.kubernetes.io/enforce"];
  if (level !== "restricted" && level !== "baseline") return;
  const cni = await kubectl.try([
    "get",
    "daemonsets",
    "-l",
    "k8s-app=istio-cni-node",
    "--all-namespaces",
    "-o",
    "name",
  ]);
  if (cni.stdout.trim() !== "") return; // the plugin does it on the node, and the pod needs no such right
  stop(
    `namespace ${kubectl.namespace} enforces Pod Security ${level}, which forbids Istio's init container (NET_ADMIN); install ` +
      "Istio's CNI plugin, or deploy to another namespace: make kube-deploy istio-inject NAMESPACE=…",
  );
}

async function label(kubectl: Kubectl, labels: Readonly<Record<string, string | null>>): Promise<void> {
  const patch = JSON.stringify({ spec: { template: { metadata: { labels } } } });
  for (const app of deployedApps) await kubectl.run(["patch", "deployment", app, "--patch", patch], { show: true });
  for (const app of deployedApps) await waitForRollout(kubectl, app);
}

interface ListedPod {
  readonly app: DeployedApp;
  readonly pod: string;
  readonly hasProxy: boolean;
}

const podsWithoutProxy = async (kubectl: Kubectl) => (await listPods(kubectl)).filter(({ hasProxy }) => !hasProxy);

/** The pods that are not terminating; the sidecar is a container, or in newer versions a restartable init container. */
async function listPods(kubectl: Kubectl): Promise<ListedPod[]> {
  const { items } = await kubectl.get(["pods", "-l", `app in (${deployedApps.join(",")})`]);
  return items
    .filter(({ metadata }: { metadata: object }) => !("deletionTimestamp" in metadata))
    .map(
      ({
        metadata,
        spec,
      }: {
        metadata: { name: string; labels: { app: DeployedApp } };
        spec: Record<string, { name: string }[]>;
      }) => ({
        app: metadata.labels.app,
        pod: metadata.name,
        hasProxy: [...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(
          ({ name }) => name === "istio-proxy",
        ),
      }),
    );
}
