/**
 * Deletes what `make kube-deploy` created in a namespace and waits until it is gone: `make kube-delete`. All other objects stay.
 * The namespace stays too, unless kube-deploy created it and it contains nothing else.
 */
import { runProgram } from "@grpc-lb/program";
import { hasTools } from "../has-tools.ts";
import { findForeign } from "./foreign.ts";
import { createKubectl, type Kubectl, namespaceFlag, requireRights, stop } from "./kubectl.ts";
import {
  addedKinds,
  customKinds,
  hasLabel,
  kinds,
  namespaceLabels,
  ourNamespace,
  ours,
  resourceOf,
  servedResources,
} from "./objects.ts";

const flags = { namespace: namespaceFlag };
const kindsOfOperators = new Set([...customKinds.keys()].map((kind) => resourceOf[kind]));

void runProgram({ name: "kube-delete", summary: "Deletes server and clients.", flags }, async ({ flags, signal }) => {
  if (!(await hasTools("kube-delete", signal))) return 1;
  const kubectl = await createKubectl(flags.namespace, signal);
  const labels = await namespaceLabels(kubectl);
  if (labels === null) {
    process.stdout.write(`namespace ${kubectl.namespace} does not exist; nothing to delete\n`);
    return 0;
  }
  await requireRights(kubectl, [...kinds.flatMap((kind) => [`list ${kind}`, `delete ${kind}`]), "list pods"]);

  const served = await servedResources(kubectl);
  const present = addedKinds.filter((kind) => !kindsOfOperators.has(kind) || served.has(kind));
  // Some strategies and components add these kinds, which need more rights; a user without the rights cannot have created them.
  const deletable = await Promise.all(
    present.map(async (kind) => {
      const checks = ["list", "delete"].map((verb) => kubectl.try(["auth", "can-i", verb, kind]));
      return (await Promise.all(checks)).every(({ stdout }) => stdout.trim() === "yes") ? [kind] : [];
    }),
  );
  const doing = "the objects were deleted";
  const all = [...kinds, ...deletable.flat()].join(",");
  await kubectl.run(["delete", all, "-l", ours, "--ignore-not-found", "--wait", "--timeout=120s"], {
    show: true,
    doing,
  });
  const pods = await kubectl.try(["wait", "--for=delete", "pods", "-l", ours, "--timeout=90s"], { doing });
  if (pods.code !== 0) stop(`pods are still there: ${pods.problem}; see: kubectl get pods -n ${kubectl.namespace}`);
  process.stdout.write(`nothing of grpc-lb is left in namespace ${kubectl.namespace}\n`);

  if (hasLabel(labels ?? {}, ourNamespace)) await deleteNamespace(kubectl);
  return 0;
});

/** Deletes the namespace that kube-deploy created, if it certainly contains no other objects. */
async function deleteNamespace(kubectl: Kubectl): Promise<void> {
  const foreign = await findForeign(kubectl);
  const stays = (why: string) => process.stdout.write(`namespace ${kubectl.namespace} stays, ${why}\n`);
  if ("unknown" in foreign) {
    stays(`because its objects cannot all be listed: ${foreign.unknown}`);
  } else if (foreign.found.length > 0) {
    stays(`because it contains ${foreign.found.join(", ")}`);
  } else {
    const doing = `namespace ${kubectl.namespace} was deleted`;
    // Without `show`: kubectl would print a warning that namespaces are not namespaced.
    process.stdout.write(await kubectl.run(["delete", "namespace", kubectl.namespace, "--timeout=180s"], { doing }));
  }
}
