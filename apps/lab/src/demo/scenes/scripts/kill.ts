import type { SceneScript } from "../scene.ts";

/** The process of a pod ends without a word, as when memory runs out. */
export const kill: SceneScript = {
  summary: "SIGKILL ends server-2, and server-4 takes its place.",
  steps: [
    { afterMs: 500, action: { t: "kill", pod: "server-2" } },
    { afterMs: 1_000, action: { t: "start", pods: ["server-4"] } },
  ],
  expectations: {
    connection: {
      expected: ["BALANCED"],
      maxFirstCallMs: 3_000,
      why: "For a second the Service still sends connections to the dead pod.",
    },
    break: { expected: ["PINNED"], why: "Its connection breaks, and the next one is for all calls again." },
    never: {
      expected: ["SKEWED"],
      maxFailed: 3,
      why: "Its list still has the dead pod and will never have the new one.",
    },
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED"],
      why: "Each connection lasts about a second, and the next may reach any pod.",
    },
    watch: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 3_000,
      why: "Its connection breaks at once; the watch then brings the new pod.",
    },
    poll: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 4_000,
      why: "Its connection breaks at once; the next poll brings the new pod.",
    },
    proxy: {
      expected: "policy",
      maxFailed: 3,
      maxFirstCallMs: 3_000,
      why: "The proxy tries another pod when one refuses; the client sees little.",
    },
  },
};
