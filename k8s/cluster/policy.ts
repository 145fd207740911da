import { needsNoConfig, parsePolicy, registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { type Flag, ProgramError } from "@grpc-lb/program";
import type { Strategy } from "./strategy.ts";

registerPolicies(); // before the flags are read, because a policy's configuration is checked by the policy

/** Those that do without a configuration; the others are told by their error what they lack. */
const names = registeredPolicies().filter(needsNoConfig);

/**
 * The flag of the program that deploys: POLICY, written as client-grpc takes it, `least_request` or with a configuration
 * `least_request{"choiceCount":3}`. Its value is that text; empty for the strategy's own policy.
 */
export const policyFlag: Flag<string> = {
  metavar: "name",
  help: `client-grpc's load balancing policy, also as name{"field":value}: ${names.join(", ")}`,
  default: "",
  defaultText: "the strategy's",
  parse(text) {
    parsePolicy(text);
    return text;
  },
};

/**
 * Ends the program when the strategy leaves a policy nothing to choose from.
 *
 * @throws ProgramError that says which strategies do
 */
export function requireChoice(policy: string, strategy: Strategy): void {
  if (policy === "" || strategy !== "clusterip") return;
  throw new ProgramError(
    `POLICY=${policy} has nothing to choose from with STRATEGY=clusterip, whose client sees one address, the Service's; ` +
      "give STRATEGY=resolver, headless-dns, etcd or consul",
    { exitCode: 2 },
  );
}

/** What gives client-grpc the policy on top of a strategy's manifests, as kustomize takes it. */
export function policyPatches(policy: string): readonly object[] {
  if (policy === "") return [];
  const containers = [{ name: "client-grpc", env: [{ name: "POLICY", value: policy }] }];
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "client-grpc" },
    spec: { template: { spec: { containers } } },
  };
  return [{ patch: JSON.stringify(deployment) }];
}
