import type { Component } from "./components.ts";
import type { Kubectl } from "./kubectl.ts";

/** The NetworkPolicy that selects every pod of grpc-lb and, once all policies are there, allows nothing. */
const defaultDeny = "grpc-lb-default-deny";

/** Its label; the other objects of components have another value or none. */
const lastKey = "grpc-lb.dev/applied";
const last = `${lastKey}=last`;

const everything = { ingress: [{}], egress: [{}] };

/** The kustomize patch with which it allows everything. */
const openPatch = {
  target: { kind: "NetworkPolicy", name: defaultDeny },
  patch: JSON.stringify(
    Object.entries(everything).map(([direction, value]) => ({ op: "add", path: `/spec/${direction}`, value })),
  ),
};

/**
 * Applies the objects that components add. Policies are applied one after the other, and from the first one that selects a pod, the pod is
 * denied what only later ones allow. So where there are none yet, the one of every pod is the first and allows everything, and denies
 * only when the others are there. What a policy outside of grpc-lb denies these pods is allowed meanwhile, about a second.
 *
 * @param selector of the objects
 * @param write writes the kustomization with further patches, and returns its folder
 */
export async function applyComponents(
  kubectl: Kubectl,
  wanted: readonly Component[],
  selector: string,
  write: (patches?: readonly object[]) => string,
): Promise<void> {
  const apply = (folder: string, labels: string) =>
    kubectl.run(["apply", "-k", folder, "-l", labels], { show: true, doing: "components were applied" });
  if (!wanted.includes("network-policy")) {
    await apply(write(), selector);
    return;
  }
  const { code } = await kubectl.try(["get", "networkpolicies.networking.k8s.io", defaultDeny]);
  if (code !== 0) await apply(write([openPatch]), last);
  await apply(write(), `${selector},${lastKey}!=last`);
  await apply(write(), last);
}

/**
 * Orders objects for their deletion. While policies are deleted one after the other, those that are left would deny what those that have gone
 * allow: the one of every pod allows everything first, and is the last.
 *
 * @param names as `kubectl get -o name` prints them
 */
export async function prepareDeletion(kubectl: Kubectl, names: readonly string[]): Promise<readonly string[]> {
  const denial = names.find((name) => name.endsWith(`/${defaultDeny}`));
  if (denial === undefined) return names;
  await kubectl.run(["patch", denial, "--type=merge", "--patch", JSON.stringify({ spec: everything })]);
  return [...names.filter((name) => name !== denial), denial];
}
