import { policyNames } from "@grpc-lb/policies";
import { type Expectation, expectationOfPolicy } from "@grpc-lb/verdict";

/** What the demo expects of a load balancing policy, and how it configures the policy. */
export interface PolicyExpectation extends Expectation {
  /** The configuration of the policy. Default: `{}`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The host's name is the key of every call, so all calls of a client have the same key. */
const keyIsHostname = { key: "hostname" };

const configs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ring_hash: keyIsHostname,
  maglev: keyIsHostname,
  source_hash: keyIsHostname,
  subset: { subsetSize: 2 },
};

/** The policies that `--policy` accepts: one of grpc-js and those of `@grpc-lb/policies`. */
export const demoPolicies: readonly string[] = ["pick_first", ...policyNames];

/** Returns what the demo expects of a policy; of an unknown one, any verdict. */
export function expectationOf(policy: string): PolicyExpectation {
  const expectation = expectationOfPolicy(policy);
  const config = Object.hasOwn(configs, policy) ? configs[policy] : undefined;
  return config ? { ...expectation, config } : expectation;
}
