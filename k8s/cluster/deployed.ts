import { type Expectation, expectationOfPolicy, expectationOfStrategy } from "@grpc-lb/verdict";
import { deployCommand, type Kubectl, stop } from "./kubectl.ts";

/** The annotation of the Deployment client-grpc with the strategy of its manifests. */
const strategyAnnotation = "grpc-lb.dev/strategy";

/** How client-grpc's calls are balanced in a namespace. */
export interface Deployed {
  /** Of the manifests, or `istio` if a sidecar balances the calls of `clusterip`. */
  readonly strategy: string;
  /** The client's policy by name; empty for the strategy's own. */
  readonly policy: string;
}

/** The fields of an API Deployment that are used here. */
export interface ApiDeployment {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly template: {
      readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

/**
 * What a Deployment client-grpc says of itself.
 *
 * @param hasSidecar whether its pod has Istio's sidecar
 */
export function describeDeployed({ metadata, spec }: ApiDeployment, hasSidecar: boolean): Deployed {
  const strategy = metadata.annotations?.[strategyAnnotation] ?? "clusterip";
  const container = spec.template.spec.containers.find(({ name }) => name === "client-grpc");
  const policy = container?.env?.find(({ name }) => name === "POLICY")?.value ?? "";
  // A sidecar passes the calls to pods' addresses on as they are.
  const isMeshed = hasSidecar && strategy === "clusterip";
  return { strategy: isMeshed ? "istio" : strategy, policy: policy.replace(/\{.*$/s, "") };
}

/** Reads it from the cluster; ends the program if client-grpc is not deployed. */
export async function readDeployed(kubectl: Kubectl): Promise<Deployed> {
  const { code, stdout, problem } = await kubectl.try(["get", "deployment", "client-grpc", "-o", "json"]);
  if (code !== 0 && !problem.includes("NotFound")) stop(problem);
  if (code !== 0) stop(`namespace ${kubectl.namespace} has no client-grpc; run: ${deployCommand(kubectl)}`);
  const { items } = await kubectl.get(["pods", "-l", "app=client-grpc"]);
  type Containers = readonly { readonly name: string }[];
  const hasSidecar = items.some(({ spec }: { spec: { containers: Containers; initContainers?: Containers } }) =>
    [...spec.containers, ...(spec.initContainers ?? [])].some(({ name }) => name === "istio-proxy"),
  );
  return describeDeployed(JSON.parse(stdout), hasSidecar);
}

/** What the calls of client-grpc must look like. */
export function expectationOf({ strategy, policy }: Deployed): Expectation {
  // With zones or another size of the subset, fewer pods may be the right ones.
  if (policy === "locality" || policy === "subset") return { ...expectationOfPolicy(policy), expected: anyWord };
  return expectationOfStrategy(strategy, policy || "round_robin");
}

const anyWord = ["BALANCED", "SKEWED", "PINNED"] as const;
