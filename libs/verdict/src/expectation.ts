import type { BalanceRule, VerdictWord } from "./judge.ts";

/** What the calls of a client must look like when the pods are equal and the client makes one call at a time. */
export interface Expectation {
  /** How the calls are judged. */
  readonly rule: BalanceRule;
  /** The verdicts of which the calls must get one. */
  readonly expected: readonly VerdictWord[];
  /** A sentence that explains the verdict. */
  readonly why: string;
}

const randomChoice: Expectation = {
  rule: "random",
  expected: ["BALANCED"],
  why: "The client is connected to every pod and picks one at random per call.",
};

/** All calls of one client have the same key. */
const hashOfClient: Expectation = {
  rule: "random",
  expected: ["PINNED"],
  why: "All calls of a client have one key, and the policy maps a key to one pod.",
};

const ofPolicies: Readonly<Record<string, Expectation>> = {
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
  ring_hash: hashOfClient,
  maglev: hashOfClient,
  source_hash: hashOfClient,
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
  },
};

/** Of a policy that is not in the table. */
const anyVerdict: Expectation = {
  rule: "random",
  expected: ["BALANCED", "SKEWED", "PINNED"],
  why: "The client has the addresses of all pods, and its policy chooses.",
};

const throughProxy: Expectation = {
  rule: "round_robin",
  expected: ["BALANCED"],
  why: "The proxy reads each call and sends it to the next pod, for one more hop.",
};

const fromOutside: Expectation = {
  rule: "random",
  expected: ["PINNED"],
  why: "From outside too, the Service picks a pod per connection, not per call.",
};

const ofStrategies: Readonly<Record<string, Expectation>> = {
  http: {
    rule: "random",
    expected: ["BALANCED"],
    why: "Each call opens a connection; for each one the Service picks a pod.",
  },
  clusterip: {
    rule: "random",
    expected: ["PINNED"],
    why: "One HTTP/2 connection carries every call; its pod was picked only once.",
  },
  "max-age": {
    rule: "random",
    // Few connections in a short time: chance decides, and they may be even.
    expected: ["SKEWED", "BALANCED"],
    why: "The server ends a connection at its age; the next may reach another pod.",
  },
  envoy: throughProxy,
  nginx: throughProxy,
  haproxy: throughProxy,
  "host-proxy": {
    ...throughProxy,
    why: "The proxy on the client's node reads each call and sends it to the next pod.",
  },
  "envoy-xds": {
    ...throughProxy,
    why: "The control plane names the pods; the proxy sends each call to the next one.",
  },
  // In turn within a zone; gRPC draws the zone of each call at random, by the zones' weights.
  xds: {
    rule: "random",
    expected: ["BALANCED"],
    why: "The control plane gives the client pods and policy: each gets its share.",
  },
  nodeport: fromOutside,
  loadbalancer: fromOutside,
  istio: {
    rule: "random",
    expected: ["BALANCED"],
    why: "The client's sidecar reads each call and chooses its pod.",
  },
};

/** Returns what a load balancing policy must give whose client knows the pods; of an unknown one, any verdict. */
export function expectationOfPolicy(policy: string): Expectation {
  return Object.hasOwn(ofPolicies, policy) ? (ofPolicies[policy] as Expectation) : anyVerdict;
}

/**
 * Returns what a strategy must give.
 *
 * @param policy the client's load balancing policy, which decides in strategies whose client knows the pods
 */
export function expectationOfStrategy(strategy: string, policy = "round_robin"): Expectation {
  return Object.hasOwn(ofStrategies, strategy) ? (ofStrategies[strategy] as Expectation) : expectationOfPolicy(policy);
}
