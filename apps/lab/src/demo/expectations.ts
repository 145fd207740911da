import { policyNames } from "@grpc-lb/policies";
import type { BalanceRule, VerdictWord } from "@grpc-lb/verdict";

/** What the demo expects of a load balancing policy when the pods are equal and a client makes one call at a time. */
export interface PolicyExpectation {
  /** How the calls are judged. */
  readonly rule: BalanceRule;
  /** The verdicts of which the policy must get one. */
  readonly expected: readonly VerdictWord[];
  /** A sentence that explains the verdict. */
  readonly why: string;
  /** The configuration of the policy. Default: `{}`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const randomChoice: PolicyExpectation = {
  rule: "random",
  expected: ["BALANCED"],
  why: "The client is connected to every pod and picks one at random per call.",
};

/** The host's name is the key of every call, so all calls of a client have the same key. */
const hashOfHostname: PolicyExpectation = {
  rule: "random",
  expected: ["PINNED"],
  why: "All calls of a client have one key, and the policy maps a key to one pod.",
  config: { key: "hostname" },
};

const expectations: Readonly<Record<string, PolicyExpectation>> = {
  round_robin: {
    rule: "round_robin",
    expected: ["BALANCED"],
    why: "The client keeps a connection to every pod and takes them in turn.",
  },
  pick_first: {
    rule: "random",
    expected: ["PINNED"],
    why: "The client knows all pods and stays with the first one that it reaches.",
  },
  random: randomChoice,
  weighted_random: randomChoice,
  least_request: {
    rule: "random",
    expected: ["BALANCED"],
    why: "Of two random pods the client takes the one with fewer calls in flight.",
  },
  // Judged by chance, not by turns: the schedule restarts each second, so counts may differ by more than one.
  weighted_round_robin: {
    rule: "random",
    expected: ["BALANCED"],
    why: "Pods are taken in turn by weight; without load reports weights are equal.",
  },
  // With two pods the faster one wins every comparison, so any verdict is possible.
  peak_ewma: {
    rule: "random",
    expected: ["BALANCED", "SKEWED", "PINNED"],
    why: "Of two random pods the client takes the faster one; equal pods differ a bit.",
  },
  ring_hash: hashOfHostname,
  maglev: hashOfHostname,
  source_hash: hashOfHostname,
  locality: {
    rule: "round_robin",
    expected: ["BALANCED"],
    why: "Without zones all pods are equally near, and the client takes them in turn.",
  },
  // With two pods the subset has all of them, which is BALANCED.
  subset: {
    rule: "round_robin",
    expected: ["SKEWED", "BALANCED"],
    why: "The client's subset has two of the pods; the client takes them in turn.",
    config: { subsetSize: 2 },
  },
};

/** For a policy that is registered and not in the table: no expectation. */
const anyVerdict: PolicyExpectation = {
  rule: "random",
  expected: ["BALANCED", "SKEWED", "PINNED"],
  why: "The client has the addresses of all pods, and its policy chooses.",
};

/** The policies that `--policy` accepts: two of grpc-js and those of `@grpc-lb/policies`. */
export const demoPolicies: readonly string[] = ["round_robin", "pick_first", ...policyNames];

/** Returns what the demo expects of a policy; of an unknown one, any verdict. */
export function expectationOf(policy: string): PolicyExpectation {
  return Object.hasOwn(expectations, policy) ? (expectations[policy] as PolicyExpectation) : anyVerdict;
}
