import type { SceneScript } from "../scene.ts";

/** The worst failure of a pod: it is there, and does not answer. */
export const freeze: SceneScript = {
  summary: "SIGSTOP freezes server-2: its connections stay, answers do not come.",
  steps: [{ afterMs: 500, action: { t: "freeze", pod: "server-2" } }],
  expectations: {
    connection: {
      expected: ["BALANCED"],
      why: "Until the probe fails, every third connection gets no answer.",
    },
    // Another seed may have put it on another pod, where nothing changes.
    break: {
      expected: ["NONE", "PINNED"],
      why: "Its connection never breaks, so all its calls wait for the frozen pod.",
    },
    never: {
      expected: ["BALANCED"],
      minFailed: 3,
      why: "Every third call waits for the frozen pod until its timeout, for ever.",
    },
    age: {
      expected: ["SKEWED", "BALANCED", "PINNED", "NONE"],
      why: "Luck: a frozen pod does not end a connection by its age either.",
    },
    watch: {
      expected: "policy",
      why: "Calls wait until the probe fails or the lease ends; then the pod is gone.",
    },
    poll: {
      expected: "policy",
      why: "Calls wait until the probe has failed and the next poll has come.",
    },
    proxy: {
      expected: "policy",
      why: "The proxy takes turns too: calls wait until the probe fails.",
    },
  },
};
