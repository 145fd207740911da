import { type Kubectl, stop } from "./kubectl.ts";

/** The label of every object that `make kube-deploy` creates in a namespace. */
export const ours = "app.kubernetes.io/part-of=grpc-lb";
/** The label of a namespace that `make kube-deploy` created, and that `make kube-delete` may delete. */
export const ourNamespace = "app.kubernetes.io/managed-by=grpc-lb";
/**
 * The resource of each kind in the manifests, in a form that both `kubectl auth can-i` and `kubectl delete` accept.
 */
export const resourceOf: Readonly<Record<string, string>> = {
  Deployment: "deployments.apps",
  DaemonSet: "daemonsets.apps",
  Service: "services",
  ConfigMap: "configmaps",
  PodDisruptionBudget: "poddisruptionbudgets.policy",
  ServiceAccount: "serviceaccounts",
  Role: "roles.rbac.authorization.k8s.io",
  RoleBinding: "rolebindings.rbac.authorization.k8s.io",
  HorizontalPodAutoscaler: "horizontalpodautoscalers.autoscaling",
  CronJob: "cronjobs.batch",
  PersistentVolumeClaim: "persistentvolumeclaims",
  NetworkPolicy: "networkpolicies.networking.k8s.io",
  PodMonitor: "podmonitors.monitoring.coreos.com",
  PrometheusRule: "prometheusrules.monitoring.coreos.com",
  ScaledObject: "scaledobjects.keda.sh",
  Secret: "secrets",
  Issuer: "issuers.cert-manager.io",
  Certificate: "certificates.cert-manager.io",
};
/** The kinds that a cluster has only if an operator is installed, and whose operator that is. */
export const customKinds: ReadonlyMap<string, string> = new Map([
  ["PodMonitor", "the Prometheus operator"],
  ["PrometheusRule", "the Prometheus operator"],
  ["ScaledObject", "KEDA"],
  ["Issuer", "cert-manager"],
  ["Certificate", "cert-manager"],
]);
/** The kinds that every strategy has. */
export const kinds = ["deployments.apps", "services", "poddisruptionbudgets.policy"] as const;
/** The kinds that some strategies and components add. */
export const addedKinds = Object.values(resourceOf).filter((kind) => !kinds.some((always) => always === kind));

/** Whether the labels contain `label`, written `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>> | undefined, label: string): boolean {
  const [key = "", value] = label.split("=");
  return labels?.[key] === value;
}

/** The labels of the namespace; null if it does not exist, undefined if that cannot be read. */
export async function namespaceLabels(kubectl: Kubectl): Promise<Record<string, string> | null | undefined> {
  const { code, stdout, problem } = await kubectl.try(["get", "namespace", kubectl.namespace, "-o", "json"]);
  if (code === 0) return JSON.parse(stdout).metadata.labels ?? {};
  return problem.includes("NotFound") ? null : undefined;
}

/** The namespaced resources that the cluster has, in the form of `resourceOf`. */
export async function servedResources(kubectl: Kubectl): Promise<ReadonlySet<string>> {
  // It fails if one of several API groups does not answer, and prints the others.
  const { stdout } = await kubectl.try(["api-resources", "--namespaced", "--output=name"]);
  return new Set(stdout.split("\n").filter(Boolean));
}

/** Ends the program if manifests have kinds that the cluster does not have. */
export function requireKinds(kinds: readonly string[], served: ReadonlySet<string>): void {
  for (const [kind, operator] of customKinds) {
    const resource = resourceOf[kind] ?? kind;
    if (kinds.includes(resource) && !served.has(resource))
      stop(`the cluster has no ${resource}: install ${operator}, or leave its component out of COMPONENTS`);
  }
}

/** Ends the program if an object without the label of grpc-lb has a name that is about to be applied. */
export async function requireNoForeignObjects(
  kubectl: Kubectl,
  names: readonly string[],
  among: readonly string[] = kinds,
): Promise<void> {
  const { items } = await kubectl.get([among.join(",")]);
  for (const { kind, metadata } of items) {
    if (!names.includes(metadata.name) || hasLabel(metadata.labels, ours)) continue;
    stop(
      `namespace ${kubectl.namespace} has a ${kind} ${metadata.name} that does not belong to grpc-lb (it lacks the label ${ours}); ` +
        "choose another namespace: NAMESPACE=…",
    );
  }
}
