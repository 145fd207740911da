/**
 * `make kube-live`: deploys the live page into a namespace and forwards a port of this machine to it, until Ctrl-C, which deletes what
 * was deployed. The page reads with the rights of its own Role, and changes nothing unless ALLOW_ACTIONS=true. Then the clients also
 * run with EVENTS=true meanwhile, because only then they report connections and times.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { portFlag, runProgram, switchFlag } from "@grpc-lb/program";
import { type Deployed, readDeployed } from "../cluster/deployed.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "../cluster/kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "../cluster/local.ts";
import { nodesHaveImages } from "../cluster/node-images.ts";
import { requireNoForeignObjects, resourceOf } from "../cluster/objects.ts";
import { waitForRollout } from "../cluster/rollout.ts";
import { hasTools } from "../has-tools.ts";
import { type BuiltImages, requireBuilt } from "../image/built.ts";
import { imageName, imagePrefixFlag, root } from "../image/tag.ts";
import { forwardPort } from "./forward-port.ts";

const flags = {
  namespace: namespaceFlag,
  imagePrefix: imagePrefixFlag,
  port: portFlag({ help: "port of the page on 127.0.0.1, 0 for a free one", default: 0 }),
  allowActions: switchFlag({
    help: "lets the page scale the server, delete a pod and restart the rollout; the clients restart with EVENTS=true",
  }),
};

/** The port of the page in its pod. */
const pagePort = 8080;
const deployedKinds = ["Deployment", "ServiceAccount", "Role", "RoleBinding"].map((kind) => resourceOf[kind] ?? kind);
const rights = deployedKinds.flatMap((kind) => ["create", "list", "patch", "delete"].map((verb) => `${verb} ${kind}`));

void runProgram(
  { name: "kube-live", summary: "Shows the deployed clients' calls on a page.", flags },
  async ({ flags, signal }) => {
    if (!(await hasTools("kube-live", signal))) return 1;
    const built = requireBuilt(flags.imagePrefix);
    const kubectl = await createKubectl(flags.namespace, signal);
    // Deletes after Ctrl-C, in the same place whatever the current context is then.
    const cleaner = await createKubectl(kubectl.namespace);
    const local = built.imagePrefix === "" ? requireLocalCluster(kubectl) : null;
    await requireRights(kubectl, [...rights, "list pods", "create pods --subresource=portforward"]);
    const deployed = await readDeployed(kubectl);
    await requireNoForeignObjects(kubectl, ["live"], deployedKinds);
    await requireNoOtherPage(kubectl);
    if (local !== null && !(await nodesHaveImages(kubectl, built)))
      await loadImages(local, await requireImages(built, signal), signal);

    const tree = writeKustomization(kubectl.namespace, { built, deployed, allowActions: flags.allowActions });
    let isOurs = true;
    let silent: readonly string[] = [];
    try {
      // Of two that start at the same time, `create` fails for the later one, which then must not delete what it finds.
      const { code, problem } = await kubectl.try(["create", "-k", tree], { doing: "the live page was created" });
      isOurs = !problem.includes("already exists");
      if (code !== 0) stop(`kubectl create: ${problem}`);
      silent = await clientsWithoutEvents(kubectl);
      if (silent.length > 0) process.stderr.write(`kube-live: ${describeEvents(flags.allowActions)}\n`);
      await waitForRollout(kubectl, "live");
      // Clients report each connection once, and the page reads from now on: it must be there before they start.
      if (silent.length > 0 && flags.allowActions) await setEvents(kubectl, silent, "EVENTS=true");
      await forwardPort(kubectl, {
        ...{ to: "deployment/live", port: flags.port, remotePort: pagePort, signal },
        onUrl: (url) => void process.stdout.write(`${url}\n`),
        warn: (text) => void process.stderr.write(`kube-live: ${text}\n`),
      });
    } catch (error) {
      if (!signal.aborted) throw error; // Ctrl-C is how it ends
    } finally {
      try {
        if (flags.allowActions && silent.length > 0) await setEvents(cleaner, silent, "EVENTS-");
      } finally {
        if (isOurs) await remove(cleaner, tree);
      }
    }
    return 0;
  },
);

/** A page belongs to the kube-live that created it. Ends the program if there is one. */
async function requireNoOtherPage(kubectl: Kubectl): Promise<void> {
  const found = await kubectl.run(["get", deployedKinds.join(), "--selector", "app=live", "--output", "name"]);
  if (found.trim() === "") return;
  const { namespace } = kubectl;
  stop(
    `namespace ${namespace} has a live page already, of another kube-live or left by one that was killed; what was left is deleted by: ` +
      `kubectl --namespace ${namespace} delete ${deployedKinds.join()} --selector app=live`,
  );
}

const clients = ["client-http", "client-grpc"];

/** The clients whose Deployments do not set EVENTS. */
async function clientsWithoutEvents(kubectl: Kubectl): Promise<readonly string[]> {
  const events = '{.spec.template.spec.containers[*].env[?(@.name=="EVENTS")].name}';
  const lines = `{range .items[*]}{.metadata.name}=${events}{"\\n"}{end}`;
  const found = (await kubectl.run(["get", "deployments", "--output", `jsonpath=${lines}`])).split("\n");
  return clients.filter((client) => found.includes(`${client}=`));
}

/** @param change as `kubectl set env` has it; it restarts the clients */
async function setEvents(kubectl: Kubectl, names: readonly string[], change: "EVENTS=true" | "EVENTS-"): Promise<void> {
  await kubectl.run(["set", "env", ...names.map((name) => `deployment/${name}`), change]);
}

const describeEvents = (isSet: boolean) =>
  isSet
    ? "the clients restart with EVENTS=true, to report connections and times; they restart without it at the end"
    : "the clients report no connections and times; with ALLOW_ACTIONS=true they do";

/** Deletes the page, and waits until its pod is gone too. */
async function remove(kubectl: Kubectl, tree: string): Promise<void> {
  await kubectl.run(["delete", "-k", tree, "--ignore-not-found", "--cascade=foreground", "--timeout=90s"]);
}

/** Writes a kustomization on top of the manifests: the tag of the built image, and what client-grpc does. */
function writeKustomization(
  namespace: string,
  options: { readonly built: BuiltImages; readonly deployed: Deployed; readonly allowActions: boolean },
): string {
  const { built, deployed, allowActions } = options;
  const tree = join(root, "k8s/dist/live", namespace);
  mkdirSync(tree, { recursive: true });
  const env = { STRATEGY: deployed.strategy, POLICY: deployed.policy };
  const variables = Object.entries(env).filter(([, value]) => value !== "");
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`../../../live/${allowActions ? "actions" : "read-only"}`],
    images: [{ name: "grpc-lb/compare", newName: imageName("compare", built), newTag: built.tags.compare }],
    patches: variables.map(([name, value]) => ({
      target: { kind: "Deployment", name: "live" },
      patch: JSON.stringify([{ op: "add", path: "/spec/template/spec/containers/0/env/-", value: { name, value } }]),
    })),
  };
  writeFileSync(join(tree, "kustomization.yaml"), `${JSON.stringify(kustomization, null, 2)}\n`); // JSON is YAML
  return tree;
}
