/**
 * Deletes what `make kube-deploy` made in a namespace and waits until it is gone: `make kube-delete`. Other people's objects
 * stay, and so does the namespace, unless kube-deploy created it and nothing else lives there.
 */
import { runProgram } from "@grpc-lb/runtime/process";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { hasLabel, kinds, namespaceLabels, ourNamespace, ours } from "./objects.ts";

const flags = { namespace: namespaceFlag };

void runProgram({ name: "kube-delete", summary: "Deletes server and clients.", flags }, async ({ flags, signal }) => {
  const kubectl = await createKubectl(flags.namespace);
  const labels = await namespaceLabels(kubectl);
  if (labels === null) {
    process.stdout.write(`there is no namespace ${kubectl.namespace}, and so nothing to delete\n`);
    return 0;
  }
  await requireRights(kubectl, [...kinds.flatMap((kind) => [`list ${kind}`, `delete ${kind}`]), "list pods"]);

  await kubectl.run(["delete", kinds.join(","), "-l", ours, "--ignore-not-found", "--wait"], { show: true, signal });
  const pods = await kubectl.try(["wait", "--for=delete", "pods", "-l", ours, "--timeout=90s"], { signal });
  if (pods.code !== 0) stop(`pods are still there: ${pods.problem}; see: kubectl get pods -n ${kubectl.namespace}`);
  process.stdout.write(`nothing of grpc-lb is left in namespace ${kubectl.namespace}\n`);

  if (!hasLabel(labels ?? {}, ourNamespace)) return 0;
  const others = await foreignObjects(kubectl);
  if (others.length > 0)
    process.stdout.write(`namespace ${kubectl.namespace} stays, for the sake of ${others.join(", ")}\n`);
  else await kubectl.run(["delete", "namespace", kubectl.namespace], { show: true, signal });
  return 0;
});

/** What lives in the namespace that Kubernetes and its additions did not put there themselves. */
async function foreignObjects(kubectl: Kubectl): Promise<string[]> {
  const { items } = await kubectl.get(["all,configmaps,secrets,persistentvolumeclaims,ingresses,serviceaccounts"]);
  return items
    .map(({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind} ${metadata.name}`)
    .filter(
      (name: string) =>
        !/^(?:ConfigMap (?:kube-root-ca|istio-ca-root-cert|istio-ca-crl)|ServiceAccount default$)/.test(name),
    );
}
