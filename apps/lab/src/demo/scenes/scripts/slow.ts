import type { SceneScript } from "../scene.ts";

const inTurn = {
  expected: "policy",
  maxFailed: 3,
  why: "round_robin does not see that a pod is slow; POLICY=peak_ewma does.",
} as const;

/** One pod has too little CPU: it answers ten times slower. */
export const slow: SceneScript = {
  summary: "server-2 gets a tenth of the CPU time, and answers ten times slower.",
  steps: [{ afterMs: 1_500, action: { t: "slow", pod: "server-2" } }],
  expectations: {
    connection: {
      expected: ["BALANCED"],
      maxFailed: 3,
      why: "The Service picks without looking, so every third call is slow.",
    },
    break: {
      expected: ["PINNED"],
      maxFailed: 3,
      why: "All its calls are on one pod, and this is the slow one.",
    },
    never: inTurn,
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED"],
      maxFailed: 3,
      why: "About every third second is slow.",
    },
    watch: inTurn,
    poll: inTurn,
    proxy: {
      expected: "policy",
      maxFailed: 3,
      why: "The proxy takes turns too, so every third call is slow.",
    },
  },
};
