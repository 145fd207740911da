import type { SceneScript } from "../scene.ts";

/** The registries and the API server are away while a pod is replaced. */
export const outage: SceneScript = {
  summary: "While all registries are away, server-4 replaces server-2.",
  steps: [
    { afterMs: 500, action: { t: "registry-away" } },
    { afterMs: 500, action: { t: "start", pods: ["server-4"] } },
    { afterMs: 500, action: { t: "drain", pods: ["server-2"] } },
    { afterMs: 3_000, action: { t: "registry-back" } },
  ],
  settleMs: 5_000, // clients try again at intervals that have grown
  expectations: {
    connection: {
      expected: ["BALANCED"],
      why: "The Service is not updated either: every third connection is refused.",
    },
    break: {
      expected: ["PINNED"],
      why: "Its pod ends, and the Service may send it back there.",
    },
    never: {
      expected: ["SKEWED"],
      maxFailed: 3,
      why: "An outage changes nothing: it calls those of its list that are left.",
    },
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED"],
      why: "Each new connection may be sent to the pod that is gone.",
    },
    watch: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 10_000,
      why: "It keeps the pods that it knows, and has the new one after the outage.",
    },
    poll: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 10_000,
      why: "It keeps the pods that it knows, and has the new one after the outage.",
    },
    proxy: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 10_000,
      why: "The proxy keeps its pods, and tries another when the old one refuses.",
    },
  },
};
