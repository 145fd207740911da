import type { SceneScript } from "../scene.ts";

/** A new version: every pod is replaced, each when its successor is ready. */
export const rolling: SceneScript = {
  summary: "Every pod is replaced: one starts, then an old one is drained.",
  steps: [
    { afterMs: 500, action: { t: "start", pods: ["server-4"] } },
    { afterMs: 500, action: { t: "drain", pods: ["server-1"] } },
    { afterMs: 0, action: { t: "start", pods: ["server-5"] } },
    { afterMs: 500, action: { t: "drain", pods: ["server-2"] } },
    { afterMs: 0, action: { t: "start", pods: ["server-6"] } },
    { afterMs: 500, action: { t: "drain", pods: ["server-3"] } },
  ],
  expectations: {
    connection: {
      expected: ["BALANCED"],
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "A drained pod still serves for a second; new connections go elsewhere.",
    },
    break: {
      expected: ["PINNED"],
      maxFailed: 2,
      why: "GOAWAY ends its connection; the next pod then has all its calls.",
    },
    never: { expected: ["NONE"], minFailed: 3, why: "All pods of its list are gone." },
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED"],
      maxFailed: 2,
      why: "It moves by age, and when its pod is drained.",
    },
    watch: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "The watch reports each pod before it ends, so that no call is lost.",
    },
    poll: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 4_000,
      why: "New pods come with the next poll; drained ones send GOAWAY.",
    },
    proxy: {
      expected: "policy",
      maxFailed: 2,
      maxFirstCallMs: 3_000,
      why: "The proxy learns of each pod before it ends.",
    },
  },
};
