/**
 * A control plane that is killed or frozen, as our own client and those that nobody here wrote see it:
 * `node --test apps/control-plane/e2e/outages.e2e.ts`. A client that cannot be had is skipped with the reason.
 */
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { backoffMs, story, untilAccepted } from "./story.ts";
import type { World } from "./world.ts";

after(assertNothingLeft);

const downMs = 60_000;
const frozenMs = 30_000;

story("killed for 60 s while pods change: no call fails, and clients follow when it is back", async ({ world, t }) => {
  const { calls, controlPlane } = world;
  await controlPlane.kill();
  await changePods(world, downMs);
  await controlPlane.start();
  const sinceMs = performance.now();
  await calls.settlesOn(["a2", "a3", "b1"], backoffMs);
  t.diagnostic(`the new pod has calls ${calls.firstMs("a3", sinceMs)} ms after the control plane is back`);
  await untilAccepted(world, ["v1", "v2"]);
});

story("frozen for 30 s while pods change: no call fails, and clients follow when it thaws", async ({ world, t }) => {
  const { calls, controlPlane } = world;
  controlPlane.freeze();
  await changePods(world, frozenMs);
  const sinceMs = performance.now();
  controlPlane.thaw();
  await calls.settlesOn(["a2", "a3", "b1"], backoffMs);
  t.diagnostic(`the new pod has calls ${calls.firstMs("a3", sinceMs)} ms after the control plane thaws`);
  await untilAccepted(world, ["v1", "v2"]);
});

/** Pods change while the control plane does not see it: a1 ends as a pod of Kubernetes does, and a3 is new. @param forMs how long that is */
async function changePods({ pod, list, calls }: World, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  await pod("a1").end();
  await list("v1", "a2", "a3");
  await calls.settlesOn(["a2", "b1"]);
  await delay(Math.max(0, endMs - performance.now()));
  await calls.settlesOn(["a2", "b1"]);
}
