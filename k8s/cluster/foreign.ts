import type { Kubectl } from "./kubectl.ts";
import { hasLabel, ours } from "./objects.ts";

/** What an object is called, as far as it is of use here. */
export interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** Kinds that the cluster itself writes beside what people make: their objects keep no namespace alive. */
const byTheCluster =
  /^(?:events(?:\.events\.k8s\.io)?|endpoints|endpointslices\.discovery\.k8s\.io|leases\.coordination\.k8s\.io|pods\.metrics\.k8s\.io)$/;

/** Objects that the cluster and its additions put into every namespace. */
const inEveryNamespace =
  /^(?:ServiceAccount default|Secret default-token-\w+|ConfigMap (?:kube-root-ca\.crt|istio-ca-root-cert|istio-ca-crl|openshift-service-ca\.crt))$/;

/** The kinds to look through, of all that a namespace can hold and that can be listed. */
export function kindsToLookThrough(listable: string): string[] {
  return listable.split("\n").filter((kind) => kind !== "" && !byTheCluster.test(kind));
}

/** Those of a namespace's objects that somebody made who is neither the cluster nor `make kube-deploy`. */
export function foreignAmong(items: readonly Named[]): string[] {
  const foreign = items.filter(({ metadata }) => !hasLabel(metadata.labels, ours));
  return foreign.map(({ kind, metadata }) => `${kind} ${metadata.name}`).filter((name) => !inEveryNamespace.test(name));
}

/** What lives in the namespace and is not ours; `unknown` says why that cannot be told, which is no licence to delete. */
export async function findForeign(
  kubectl: Kubectl,
): Promise<{ readonly found: readonly string[] } | { readonly unknown: string }> {
  const kinds = await kubectl.try(["api-resources", "--namespaced", "--verbs=list", "--output=name"]);
  if (kinds.code !== 0) return { unknown: kinds.problem };
  const args = ["get", kindsToLookThrough(kinds.stdout).join(","), "--ignore-not-found", "--output=json"];
  const objects = await kubectl.try(args);
  if (objects.code !== 0) return { unknown: objects.problem };
  return { found: foreignAmong(objects.stdout.trim() === "" ? [] : JSON.parse(objects.stdout).items) };
}
