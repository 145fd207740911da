/**
 * A control plane that is killed, frozen or restarted, as clients that nobody here wrote see it:
 * `node --test apps/control-plane/e2e/outages.e2e.ts`. The clients run at the same time, each with a control plane of its own; one that
 * cannot be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { foreignClients } from "@grpc-lb/xds/testing/foreign";
import type { ControlPlaneProcess } from "./control-plane-process.ts";
import { type Services, startWorld, type World } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

const downMs = 60_000;
const frozenMs = 30_000;
/**
 * After a minute without a control plane, the pause between two attempts of gRPC is about a minute (1 s, and each 1.6 times the one
 * before), and of Envoy up to 30 s.
 */
const backoffMs = 150_000;

const sources = { v1: ["a1", "a2"], v2: ["b1"] };
const services: Services = (target) => ({
  v1: { target: target("v1") },
  v2: { target: target("v2") },
  server: { split: { v1: 50, v2: 50 } },
});
const resourcesOf = (services: readonly string[]) => [
  ...services.map((name) => `Cluster ${name}`),
  ...services.map((name) => `ClusterLoadAssignment ${name}`),
  ...["Listener server", "RouteConfiguration server"],
];
const resources = resourcesOf(["v1", "v2"]);

/** One story for all clients at the same time. */
function story(name: string, tell: (world: World, t: TestContext) => Promise<void>): void {
  describe(name, { concurrency: true }, () => {
    for (const kind of kinds) {
      test(kind.name, { skip: kind.missing ?? false, timeout: 600_000 }, async (t) => {
        await using world = await startWorld({ kind, sources, services });
        await world.calls.settlesOn(["a1", "a2", "b1"]);
        await tell(world, t);
        world.calls.assertNoneFailed();
        assert.deepEqual(world.controlPlane.rejections(), []);
        t.diagnostic(`${kind.name}: ${world.calls.count} calls, none failed`);
      });
    }
  });
}

story(
  "the control plane is killed for 60 s while pods change: no call fails, and clients follow when it is back",
  async (world, t) => {
    const { calls, controlPlane } = world;
    await controlPlane.kill();
    await changePods(world, downMs);
    await controlPlane.start();
    const sinceMs = performance.now();
    await calls.settlesOn(["a2", "a3", "b1"], backoffMs);
    t.diagnostic(`the new pod has calls ${calls.firstMs("a3", sinceMs)} ms after the control plane is back`);
    await untilAccepted(controlPlane, resources);
  },
);

story(
  "the control plane is frozen while pods change: no call fails, and clients follow when it thaws",
  async (world, t) => {
    const { calls, controlPlane } = world;
    controlPlane.freeze();
    await changePods(world, frozenMs);
    const sinceMs = performance.now();
    controlPlane.thaw();
    await calls.settlesOn(["a2", "a3", "b1"], backoffMs);
    t.diagnostic(`the new pod has calls ${calls.firstMs("a3", sinceMs)} ms after the control plane thaws`);
    await untilAccepted(controlPlane, resources);
  },
);

story(
  "another control plane takes its place with the same resources: no call fails, and none is lost",
  async (world) => {
    const { calls, controlPlane } = world;
    await controlPlane.kill();
    await controlPlane.start();
    await untilAccepted(controlPlane, resources);
    await calls.settlesOn(["a1", "a2", "b1"]);
    await world.list("v1", "a2", "a3");
    await calls.settlesOn(["a2", "a3", "b1"]);
  },
);

story(
  "control planes take its place that have a service more or less: no call fails, and clients follow",
  async (world, t) => {
    const { calls, controlPlane } = world;
    await world.list("v3", "c1");
    const podsOf: Readonly<Record<string, readonly string[]>> = { v1: ["a1", "a2"], v2: ["b1"], v3: ["c1"] };
    const follows: number[] = [];
    for (const names of [
      ["v1", "v2", "v3"],
      ["v2", "v3"],
      ["v1", "v2", "v3"],
      ["v1", "v2"],
    ]) {
      await controlPlane.stop();
      await world.configure((target) => ({
        ...Object.fromEntries(names.map((name) => [name, { target: target(name) }])),
        server: { split: Object.fromEntries(names.map((name) => [name, 10])) },
      }));
      await controlPlane.start();
      const sinceMs = performance.now();
      await calls.settlesOn(
        names.flatMap((name) => podsOf[name] ?? []),
        backoffMs,
      );
      follows.push(Math.round(performance.now() - sinceMs));
      await untilAccepted(controlPlane, resourcesOf(names));
    }
    t.diagnostic(`followed in ${follows.join(", ")} ms after the other control plane serves`);
  },
);

/** Pods change while the control plane does not see it: a1 ends as a pod of Kubernetes does, and a3 is new. @param forMs the time that this takes */
async function changePods({ pod, list, calls }: World, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  await pod("a1").end();
  await list("v1", "a2", "a3");
  await calls.settlesOn(["a2", "b1"]);
  await delay(Math.max(0, endMs - performance.now()));
  await calls.settlesOn(["a2", "b1"]);
}

/** Resolves when the client has accepted these resources and has no others. */
async function untilAccepted(controlPlane: ControlPlaneProcess, expected: readonly string[]): Promise<void> {
  for (const endMs = performance.now() + backoffMs; ; await delay(100)) {
    const accepted = await controlPlane.resources();
    if (accepted.join() === expected.join()) return;
    if (performance.now() > endMs) assert.deepEqual(accepted, expected);
  }
}
