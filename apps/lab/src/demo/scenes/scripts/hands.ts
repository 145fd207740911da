import type { SceneScript } from "../scene.ts";

/** A person changes the pods by keys, so nothing is expected. */
export const hands: SceneScript = {
  summary: "you change the pods.",
  steps: [],
  expectations: {
    connection: { expected: "any", why: "Each connection goes to a pod that the Service has then." },
    break: { expected: "any", why: "One connection for all calls; it moves only when it breaks." },
    never: { expected: "any", why: "It calls the pods of its list, which never changes." },
    age: { expected: "any", why: "Its connection is replaced about once a second." },
    watch: { expected: "any", why: "Its watch reports each pod that comes or goes." },
    poll: { expected: "any", why: "It polls the pods about once a second." },
    proxy: { expected: "any", why: "The proxy learns of each pod that comes or goes." },
  },
};
