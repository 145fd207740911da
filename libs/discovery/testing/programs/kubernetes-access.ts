import { ManualClock } from "@grpc-lb/core/testing";
import { defineKubernetesSource } from "../../src/kubernetes/source.ts";
import { sourceIn } from "../context.ts";

/** A program for `import.test.ts`: watches where there is no pod and no kubeconfig. */
const clock = new ManualClock();
const ending = new AbortController();
let count = 0;
const reading = (async () => {
  for await (const { error } of sourceIn(defineKubernetesSource, { service: "s", clock }).watch(ending.signal)) {
    count += 1;
    process.stdout.write(`${error?.code} ${error?.message}\n`);
  }
})();
for (let n = 0; n < 3; n++) {
  await clock.asleep();
  clock.advance(5_000);
  await new Promise((resolve) => setImmediate(resolve));
}
ending.abort();
await reading;
process.stdout.write(`snapshots: ${count}\n`);
