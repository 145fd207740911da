import type { SceneScript } from "../scene.ts";

/** Load rises and falls again. */
export const scale: SceneScript = {
  summary: "From 3 pods to 5 and to 2: new ones are called, or not.",
  steps: [
    { afterMs: 500, action: { t: "start", pods: ["server-4", "server-5"] } },
    { afterMs: 2_000, action: { t: "drain", pods: ["server-1", "server-2", "server-4"] } },
  ],
  expectations: {
    connection: {
      expected: ["BALANCED"],
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "The next connections go to the pods that there are.",
    },
    break: {
      expected: ["PINNED"],
      maxFailed: 2,
      why: "More pods change nothing; it moves only when its own pod goes.",
    },
    never: {
      expected: ["PINNED"],
      maxFailed: 2,
      why: "It never calls a new pod, and of its list one is left.",
    },
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED"],
      maxFailed: 2,
      why: "It moves about once a second, to any of the pods.",
    },
    watch: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "The watch adds new pods and removes those that end.",
    },
    poll: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 4_000,
      why: "The next poll brings new pods; drained ones send GOAWAY.",
    },
    proxy: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "The proxy learns of the pods; the client keeps its one connection.",
    },
  },
};
