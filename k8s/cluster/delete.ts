/**
 * Deletes what `make kube-deploy` made in a namespace and waits until it is gone: `make kube-delete`. Other people's objects
 * stay, and so does the namespace, unless kube-deploy created it and nothing else lives there.
 */
import { runProgram } from "@grpc-lb/program";
import { findForeign } from "./foreign.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import { addedKinds, hasLabel, kinds, namespaceLabels, ourNamespace, ours } from "./objects.ts";

const flags = { namespace: namespaceFlag };

void runProgram({ name: "kube-delete", summary: "Deletes server and clients.", flags }, async ({ flags, signal }) => {
  const kubectl = await createKubectl(flags.namespace, signal);
  const labels = await namespaceLabels(kubectl);
  if (labels === null) {
    process.stdout.write(`there is no namespace ${kubectl.namespace}, and so nothing to delete\n`);
    return 0;
  }
  await requireRights(kubectl, [...kinds.flatMap((kind) => [`list ${kind}`, `delete ${kind}`]), "list pods"]);

  // Who may not delete these did not create them either: some strategies have them, and need more rights.
  const deletable = await Promise.all(
    addedKinds.map(async (kind) => {
      const answers = ["list", "delete"].map((verb) => kubectl.try(["auth", "can-i", verb, kind]));
      return (await Promise.all(answers)).every(({ stdout }) => stdout.trim() === "yes") ? [kind] : [];
    }),
  );
  const doing = "the objects were deleted";
  const all = [...kinds, ...deletable.flat()].join(",");
  await kubectl.run(["delete", all, "-l", ours, "--ignore-not-found", "--wait"], { show: true, doing });
  const pods = await kubectl.try(["wait", "--for=delete", "pods", "-l", ours, "--timeout=90s"], { doing });
  if (pods.code !== 0) stop(`pods are still there: ${pods.problem}; see: kubectl get pods -n ${kubectl.namespace}`);
  process.stdout.write(`nothing of grpc-lb is left in namespace ${kubectl.namespace}\n`);

  if (hasLabel(labels ?? {}, ourNamespace)) await deleteNamespace(kubectl);
  return 0;
});

/** Deletes the namespace that kube-deploy created, if it is sure that nothing of anybody else goes with it. */
async function deleteNamespace(kubectl: Kubectl): Promise<void> {
  const foreign = await findForeign(kubectl);
  const stays = (why: string) => process.stdout.write(`namespace ${kubectl.namespace} stays, ${why}\n`);
  if ("unknown" in foreign) {
    stays(`as not all that is in it can be seen: ${foreign.unknown}`);
  } else if (foreign.found.length > 0) {
    stays(`for the sake of ${foreign.found.join(", ")}`);
  } else {
    const doing = `namespace ${kubectl.namespace} was deleted`;
    // Not shown as it comes: kubectl warns that a namespace is in no namespace.
    process.stdout.write(await kubectl.run(["delete", "namespace", kubectl.namespace], { doing }));
  }
}
