import { needsNoConfig, parsePolicy, registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { type Flag, ProgramError } from "@grpc-lb/program";
import { clientSideStrategies, type Strategy } from "./strategy.ts";

registerPolicies(); // before the flags are parsed: each policy validates its own configuration

/** The policies that need no configuration; the error of any other names what is missing. */
const names = registeredPolicies().filter(needsNoConfig);

/**
 * The flag POLICY of kube-deploy, in client-grpc's syntax: `least_request`, or with a configuration
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
 * Ends the program if the strategy leaves a policy only one address.
 *
 * @throws ProgramError with exit code 2 that names the other strategies
 */
export function requireChoice(policy: string, strategy: Strategy): void {
  if (policy === "" || clientSideStrategies.includes(strategy)) return;
  throw new ProgramError(
    `POLICY=${policy} has nothing to choose from with STRATEGY=${strategy}, whose client sees one address; ` +
      "use STRATEGY=resolver, headless-dns, etcd, consul or lookaside",
    { exitCode: 2 },
  );
}

/** A kustomize patch that sets variables of client-grpc over a strategy's manifests. */
export function clientPatch(env: readonly { readonly name: string; readonly value: string }[]): readonly object[] {
  if (env.length === 0) return [];
  const containers = [{ name: "client-grpc", env }];
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "client-grpc" },
    spec: { template: { spec: { containers } } },
  };
  return [{ patch: JSON.stringify(deployment) }];
}
