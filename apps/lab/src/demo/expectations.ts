import { policyNames } from "@grpc-lb/policies";
import type { BalanceRule, VerdictWord } from "@grpc-lb/verdict";

/** A policy by which a client chooses among the pods that it knows, and what is expected of it. */
export interface PodPolicy {
  readonly name: string;
  /** How its calls are judged, and the words of which it must earn one. */
  readonly rule: BalanceRule;
  readonly expected: readonly VerdictWord[];
  /** Why that is what one gets. */
  readonly why: string;
  /** Its configuration; absent, there is none. */
  readonly config?: Readonly<Record<string, unknown>>;
}

type Facts = Omit<PodPolicy, "name">;

const byChance: Facts = {
  rule: "random",
  expected: ["BALANCED"],
  why: "The client keeps a connection to every pod and draws one for each call.",
};

/** Each call has the same key: that of the client, which is its host's name. */
const byClient: Facts = {
  rule: "random",
  expected: ["PINNED"],
  why: "The client's own key names its pod, for every call: that is what the policy is for.",
  config: { key: "hostname" },
};

const facts: Readonly<Record<string, Facts>> = {
  round_robin: {
    rule: "round_robin",
    expected: ["BALANCED"],
    why: "The client keeps a connection to every pod and takes them in turn.",
  },
  pick_first: {
    rule: "random",
    expected: ["PINNED"],
    why: "The client knows every pod, and stays with the first that it can reach.",
  },
  random: byChance,
  weighted_random: byChance,
  least_request: {
    rule: "random",
    expected: ["BALANCED"],
    why: "Of two pods drawn, the one with fewer calls under way; with none under way, the first.",
  },
  // Not by the rule of round_robin: with a new phase each second, counts may differ by more than one.
  weighted_round_robin: {
    rule: "random",
    expected: ["BALANCED"],
    why: "In turn by weight; these pods report no load, so that all weigh the same.",
  },
  // With two pods, the faster one wins every comparison.
  peak_ewma: {
    rule: "random",
    expected: ["BALANCED", "SKEWED", "PINNED"],
    why: "Of two pods drawn, the one that answered faster: of equal ones, by a hair.",
  },
  ring_hash: byClient,
  maglev: byClient,
  source_hash: byClient,
  locality: {
    rule: "round_robin",
    expected: ["BALANCED"],
    why: "Nobody here has a zone: all pods are alike, and taken in turn.",
  },
  // With two pods, its two are all there are.
  subset: {
    rule: "round_robin",
    expected: ["SKEWED", "BALANCED"],
    why: "Two of the pods are this client's, and it takes them in turn.",
    config: { subsetSize: 2 },
  },
};

/** A policy that the lab has no expectation of may do as it likes. */
const unknown: Facts = {
  rule: "random",
  expected: ["BALANCED", "SKEWED", "PINNED"],
  why: "The client knows every pod, and its policy chooses.",
};

/** The policies that there are: two of grpc-js's own, and those of the library. */
export const podPolicyNames: readonly string[] = ["round_robin", "pick_first", ...policyNames];

/** What is expected of a policy, by its name. */
export function podPolicy(name: string): PodPolicy {
  return { name, ...(Object.hasOwn(facts, name) ? (facts[name] as Facts) : unknown) };
}
