/**
 * `make kube-live`: deploys the live page into a namespace and forwards a port of this machine to it, until Ctrl-C, which deletes what
 * was deployed. The page reads with the rights of its own Role, and changes nothing unless ALLOW_ACTIONS=true.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { portFlag, runProgram, switchFlag } from "@grpc-lb/program";
import { type Deployed, readDeployed } from "../cluster/deployed.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights } from "../cluster/kubectl.ts";
import { loadImages, requireImages, requireLocalCluster } from "../cluster/local.ts";
import { nodesHaveImages } from "../cluster/node-images.ts";
import { requireNoForeignObjects, resourceOf } from "../cluster/objects.ts";
import { waitForRollout } from "../cluster/rollout.ts";
import { type BuiltImages, requireBuilt } from "../image/built.ts";
import { imageName, imagePrefixFlag, root } from "../image/tag.ts";
import { forwardPort } from "./forward-port.ts";

const flags = {
  namespace: namespaceFlag,
  imagePrefix: imagePrefixFlag,
  port: portFlag({ help: "port of the page on 127.0.0.1, 0 for a free one", default: 0 }),
  allowActions: switchFlag({ help: "lets the page scale the server, delete a pod and restart the rollout" }),
};

/** The port of the page in its pod. */
const pagePort = 8080;
const deployedKinds = ["Deployment", "ServiceAccount", "Role", "RoleBinding"].map((kind) => resourceOf[kind] ?? kind);
const rights = deployedKinds.flatMap((kind) => ["create", "list", "patch", "delete"].map((verb) => `${verb} ${kind}`));

void runProgram(
  { name: "kube-live", summary: "Shows the deployed clients' calls on a page.", flags },
  async ({ flags, signal }) => {
    const built = requireBuilt(flags.imagePrefix);
    const kubectl = await createKubectl(flags.namespace, signal);
    // Deletes after Ctrl-C, in the same place whatever the current context is then.
    const cleaner = await createKubectl(kubectl.namespace);
    const local = built.imagePrefix === "" ? requireLocalCluster(kubectl) : null;
    await requireRights(kubectl, [...rights, "list pods", "create pods --subresource=portforward"]);
    const deployed = await readDeployed(kubectl);
    await requireNoForeignObjects(kubectl, ["live"], deployedKinds);
    if (local !== null && !(await nodesHaveImages(kubectl, built)))
      await loadImages(local, await requireImages(built, signal), signal);

    const tree = writeKustomization(kubectl.namespace, { built, deployed, allowActions: flags.allowActions });
    try {
      await kubectl.run(["apply", "-k", tree], { doing: "the live page was applied" });
      await waitForRollout(kubectl, "live");
      await forwardPort(kubectl, {
        ...{ to: "deployment/live", port: flags.port, remotePort: pagePort, signal },
        onUrl: (url) => void process.stdout.write(`${url}\n`),
        warn: (text) => void process.stderr.write(`kube-live: ${text}\n`),
      });
    } catch (error) {
      if (!signal.aborted) throw error; // Ctrl-C is how it ends
    } finally {
      await remove(cleaner, tree);
    }
    return 0;
  },
);

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
