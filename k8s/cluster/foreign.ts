import type { Kubectl } from "./kubectl.ts";
import { hasLabel, ours } from "./objects.ts";

/** The fields of an API object that are used here. */
export interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** Kinds that the cluster itself writes; their objects do not keep a namespace. */
const byTheCluster =
  /^(?:events(?:\.events\.k8s\.io)?|endpoints|endpointslices\.discovery\.k8s\.io|leases\.coordination\.k8s\.io|pods\.metrics\.k8s\.io)$/;

/** Objects that the cluster and its add-ons create in every namespace. */
const inEveryNamespace =
  /^(?:ServiceAccount default|Secret default-token-\w+|ConfigMap (?:kube-root-ca\.crt|istio-ca-root-cert|istio-ca-crl|openshift-service-ca\.crt))$/;

/** The kinds to list, out of all namespaced kinds that can be listed. */
export function kindsToList(listable: string): string[] {
  return listable.split("\n").filter((kind) => kind !== "" && !byTheCluster.test(kind));
}

/** The objects of a namespace that neither the cluster nor `make kube-deploy` created. */
export function foreignAmong(items: readonly Named[]): string[] {
  const foreign = items.filter(({ metadata }) => !hasLabel(metadata.labels, ours));
  return foreign.map(({ kind, metadata }) => `${kind} ${metadata.name}`).filter((name) => !inEveryNamespace.test(name));
}

/** The foreign objects of the namespace; `unknown` is the reason if they cannot all be listed. */
export async function findForeign(
  kubectl: Kubectl,
): Promise<{ readonly found: readonly string[] } | { readonly unknown: string }> {
  const kinds = await kubectl.try(["api-resources", "--namespaced", "--verbs=list", "--output=name"]);
  if (kinds.code !== 0) return { unknown: kinds.problem };
  const args = ["get", kindsToList(kinds.stdout).join(","), "--ignore-not-found", "--output=json"];
  const objects = await kubectl.try(args);
  if (objects.code !== 0) return { unknown: objects.problem };
  return { found: foreignAmong(objects.stdout.trim() === "" ? [] : JSON.parse(objects.stdout).items) };
}
