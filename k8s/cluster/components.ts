import { type Flag, ProgramError } from "@grpc-lb/program";
import { prepareDeletion } from "./default-deny.ts";
import { type Kubectl, stop } from "./kubectl.ts";
import { customKinds, resourceOf } from "./objects.ts";
import type { Strategy } from "./strategy.ts";

/** What can be added to every strategy: folders in k8s/components with the objects and patches. */
export const components = [
  "monitoring",
  "monitoring-operator",
  "hpa-cpu",
  "hpa-grpc-rate",
  "keda-grpc-rate",
  "network-policy",
  "tracing",
  "tls",
  "mtls",
  "mtls-cert-manager",
  "jwt",
  "etcd-backup",
  "etcd-restore",
] as const;
export type Component = (typeof components)[number];

/** The label of the objects that a component adds; its value is the component. */
export const componentLabel = "grpc-lb.dev/component";

/** What limits a component, besides what the cluster has. */
interface Limits {
  /** Only one component of a group can be deployed. */
  readonly group?: string;
  /** The strategies that it cannot be combined with, and why. */
  readonly notWith?: { readonly strategies: readonly Strategy[]; readonly why: string };
  /** The only strategy that it is for. */
  readonly strategy?: Strategy;
  /** Another component without which it does not work. */
  readonly requires?: Component;
}

const autoscaler = "autoscaler of the server";
const transportSecurity: Limits = {
  group: "certificates of server and clients",
  notWith: {
    strategies: ["envoy", "nginx", "haproxy", "host-proxy", "envoy-xds", "xds"],
    why: "whose proxy or xDS client connects to the servers without TLS",
  },
};

const limitsOf: Readonly<Record<Component, Limits>> = {
  monitoring: {},
  "monitoring-operator": {},
  "hpa-cpu": { group: autoscaler },
  "hpa-grpc-rate": { group: autoscaler },
  "keda-grpc-rate": { group: autoscaler },
  "network-policy": {
    notWith: {
      strategies: ["nodeport", "loadbalancer"],
      why: "whose calls leave and enter the cluster, where a NetworkPolicy sees a node's address",
    },
  },
  tracing: {},
  tls: transportSecurity,
  mtls: transportSecurity,
  "mtls-cert-manager": transportSecurity,
  jwt: {},
  "etcd-backup": { strategy: "etcd" },
  "etcd-restore": { strategy: "etcd", requires: "etcd-backup" },
};

/** The flag COMPONENTS of kube-deploy: names, separated by commas. */
export const componentsFlag: Flag<readonly Component[]> = {
  metavar: "names",
  help: `what to add, separated by commas: ${components.join(", ")}`,
  default: [],
  defaultText: "none",
  parse(text) {
    const wanted = text.split(",").map((name) => name.trim());
    const unknown = wanted.find((name) => !components.some((known) => known === name));
    if (unknown !== undefined) throw new RangeError(`must be a list of ${components.join(", ")}, got "${unknown}"`);
    return components.filter((name) => wanted.includes(name));
  },
};

/** Why components cannot be deployed together with the strategy; null if they can. */
export function whyNotCombined(wanted: readonly Component[], strategy: Strategy): string | null {
  const taken = new Map<string, Component>();
  for (const component of wanted) {
    const { group, notWith, strategy: only = strategy, requires = component } = limitsOf[component];
    const other = group === undefined ? undefined : taken.get(group);
    if (other !== undefined) return `COMPONENTS has two for the ${group}, ${other} and ${component}; choose one`;
    if (group !== undefined) taken.set(group, component);
    if (notWith?.strategies.includes(strategy))
      return `COMPONENTS=${component} cannot be combined with STRATEGY=${strategy}, ${notWith.why}`;
    if (only !== strategy) return `COMPONENTS=${component} needs STRATEGY=${only}, got ${strategy}`;
    if (!wanted.includes(requires)) return `COMPONENTS=${component} needs ${requires} too`;
  }
  return null;
}

/**
 * Ends the program if components exclude each other or the strategy.
 *
 * @throws ProgramError with exit code 2
 */
export function requireCombination(wanted: readonly Component[], strategy: Strategy): void {
  const problem = whyNotCombined(wanted, strategy);
  if (problem !== null) throw new ProgramError(problem, { exitCode: 2 });
}

/** The kustomize patches with what components need to know of the cluster and of what is deployed. */
export async function componentPatches(kubectl: Kubectl, wanted: readonly Component[]): Promise<readonly object[]> {
  return [
    ...(await replicasPatch(kubectl, wanted)),
    ...queryPatch(kubectl.namespace, wanted),
    ...(await issuerPatch(kubectl, wanted)),
    ...(await apiServerPatch(kubectl, wanted)),
  ];
}

/** The kinds of added objects that act by themselves. Of the other kinds nothing is in use without the component's patches. */
const actingKinds = [
  "HorizontalPodAutoscaler",
  "ScaledObject",
  "NetworkPolicy",
  "CronJob",
  "PodMonitor",
  "PrometheusRule",
  "Certificate",
  "Issuer",
];

/**
 * Deletes what acts on pods and belongs to a component that is not wanted. Without the right to list such objects nothing is deleted:
 * such a user cannot have created them.
 *
 * @param served the resources of the cluster
 */
export async function removeOtherComponents(
  kubectl: Kubectl,
  wanted: readonly Component[],
  served: ReadonlySet<string>,
): Promise<void> {
  const selector = [componentLabel, ...wanted.map((name) => `${componentLabel}!=${name}`)].join(",");
  const kinds = actingKinds.filter((kind) => !customKinds.has(kind) || served.has(resourceOf[kind] ?? kind));
  const resources = kinds.map((kind) => resourceOf[kind]).join(",");
  const listed = await kubectl.try(["get", resources, "-l", selector, "-o", "name"]);
  const found = listed.stdout.split("\n").filter(Boolean);
  if (listed.code !== 0 || found.length === 0) return;
  await kubectl.run(["delete", ...(await prepareDeletion(kubectl, found)), "--ignore-not-found", "--timeout=60s"], {
    show: true,
    doing: "other components were deleted",
  });
}

/** The kustomize patch for what KEDA asks Prometheus: the calls in this namespace. */
function queryPatch(namespace: string, wanted: readonly Component[]): readonly object[] {
  if (!wanted.includes("keda-grpc-rate")) return [];
  const value = `sum(rate(grpc_server_call_started_total{namespace="${namespace}",app="server"}[1m]))`;
  const patch = JSON.stringify([{ op: "replace", path: "/spec/triggers/0/metadata/query", value }]);
  return [{ target: { kind: "ScaledObject", name: "server" }, patch }];
}

/** The kustomize patch for the issuer of the tokens of service accounts, which differs from cluster to cluster. */
async function issuerPatch(kubectl: Kubectl, wanted: readonly Component[]): Promise<readonly object[]> {
  if (!wanted.includes("jwt")) return [];
  const { code, stdout, problem } = await kubectl.try(["get", "--raw", "/.well-known/openid-configuration"]);
  if (code !== 0) stop(`COMPONENTS=jwt needs the issuer of the cluster's tokens: ${problem}`);
  const env = [{ name: "AUTH_ISSUER", value: String(JSON.parse(stdout).issuer) }];
  return [patchOfServer({ template: { spec: { containers: [{ name: "server", env }] } } })];
}

/**
 * The kustomize patch for the addresses of the API server, which differ from cluster to cluster: its Service's and those behind it,
 * because network plugins see the one or the other. Without the right to read them the policy stays as it is, for every address.
 */
export async function apiServerPatch(kubectl: Kubectl, wanted: readonly Component[]): Promise<readonly object[]> {
  if (!wanted.includes("network-policy")) return [];
  const service = await kubectl.try(["get", "service", "kubernetes", "-o", "json", "--namespace", "default"]);
  const selector = ["-l", "kubernetes.io/service-name=kubernetes", "--namespace", "default"];
  const slices = await kubectl.try(["get", "endpointslices", ...selector, "-o", "json"]);
  if (service.code !== 0 || slices.code !== 0) {
    process.stderr.write(
      "the API server's addresses cannot be read: COMPONENTS=network-policy lets pods that watch it reach any\n",
    );
    return [];
  }
  const addresses: readonly string[] = [
    ...(JSON.parse(service.stdout) as { readonly spec: { readonly clusterIPs: readonly string[] } }).spec.clusterIPs,
    ...(
      JSON.parse(slices.stdout) as { readonly items: readonly { readonly endpoints?: readonly ApiEndpoint[] }[] }
    ).items
      .flatMap(({ endpoints = [] }) => endpoints)
      .flatMap(({ addresses }) => addresses),
  ];
  const value = addresses.map((address) => ({ ipBlock: { cidr: `${address}/${address.includes(":") ? 128 : 32}` } }));
  const patch = JSON.stringify([{ op: "replace", path: "/spec/egress/0/to", value }]);
  return [{ target: { kind: "NetworkPolicy", name: "grpc-lb-api-server" }, patch }];
}

interface ApiEndpoint {
  readonly addresses: readonly string[];
}

/** The kustomize patch for the server's number of pods where an autoscaler owns it: applying the manifests must not change it. */
export async function replicasPatch(kubectl: Kubectl, wanted: readonly Component[]): Promise<readonly object[]> {
  if (!wanted.some((name) => limitsOf[name].group === autoscaler)) return [];
  const { code, stdout } = await kubectl.try(["get", "deployment", "server", "-o", "jsonpath={.spec.replicas}"]);
  const replicas = code === 0 && stdout !== "" ? Number(stdout) : minReplicas;
  return [patchOfServer({ replicas })];
}

/** A kustomize patch of the Deployment of the server. */
function patchOfServer(spec: object): object {
  const metadata = { name: "server" };
  return { patch: JSON.stringify({ apiVersion: "apps/v1", kind: "Deployment", metadata, spec }) };
}

/** The minimum of every autoscaler in the components. */
const minReplicas = 3;
