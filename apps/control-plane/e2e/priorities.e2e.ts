/**
 * Priorities and failover with clients that nobody here wrote: `node --test apps/control-plane/e2e/priorities.e2e.ts`. A client that
 * cannot be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { foreignClients } from "@grpc-lb/xds/testing/foreign";
import { type Services, startWorld } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

/** Envoy does not leave a pod that only refuses connections: outlier detection tells it which those are. */
const services: Services = (target) => ({
  server: {
    sources: [{ target: target("near") }, { target: target("far"), priority: 1 }],
    outlierDetection: { interval: "500ms", baseEjectionTime: "1s", maxEjectionPercent: 100, consecutiveErrors: 1 },
    retries: { attempts: 3, on: ["unavailable"] },
  },
});
/** gRPC knows the percentage alone, and looks at it once an interval. */
const ejecting: Services = (target) => ({
  server: {
    sources: [{ target: target("near") }, { target: target("far"), priority: 1 }],
    outlierDetection: {
      ...{ interval: "1s", baseEjectionTime: "5s", maxEjectionPercent: 100, consecutiveErrors: 3 },
      failurePercentage: { threshold: 50, minimumHosts: 2, requestVolume: 5 },
    },
  },
});
/** At most 100 calls a second. */
const pace = { atOnce: 1, gapMs: 10 };
/** The calls of three intervals: one that begins before the pods fail, one that shows it, and a margin. */
const fewCalls = 300;
const sources = { near: ["a1", "a2"], far: ["b1"] };
/** The longest that a client waits before it connects again, and a margin. */
const backoffMs = 60_000;

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("when all pods of priority 0 die those of priority 1 take the calls, and back", async (t) => {
      await using world = await startWorld({ kind, sources, services });
      const { calls } = world;
      await calls.settlesOn(["a1", "a2"]);
      let sinceMs = performance.now();
      for (const pod of ["a1", "a2"]) world.pod(pod).close();
      await calls.settlesOn(["b1"]);
      t.diagnostic(`priority 1 after ${calls.firstMs("b1", sinceMs)} ms, ${calls.failures().length} calls failed`);
      // Those that are in progress at the pods that die may fail.
      assert.ok(calls.failures().length <= 2, `${calls.failures().length} calls failed: ${calls.failures().at(-1)}`);
      const failedBefore = calls.failures().length;
      sinceMs = performance.now();
      await world.startAgain("a1");
      await world.startAgain("a2");
      await calls.settlesOn(["a1", "a2"], backoffMs);
      const backMs = Math.min(calls.firstMs("a1", sinceMs), calls.firstMs("a2", sinceMs));
      t.diagnostic(`back after ${backMs} ms`);
      assert.equal(calls.failures().length, failedBefore, "no call fails on the way back");
      assert.deepEqual(world.controlPlane.rejections(), []);
    });

    test("when all pods of priority 0 answer UNAVAILABLE those of priority 1 take the calls, and back", async (t) => {
      await using world = await startWorld({ kind, sources, services: ejecting, calls: pace });
      const { calls } = world;
      await calls.settlesOn(["a1", "a2"]);
      const sinceMs = performance.now();
      for (const pod of ["a1", "a2"]) world.pod(pod).setFailing(true);
      await calls.settlesOn(["b1"]);
      t.diagnostic(`priority 1 after ${calls.firstMs("b1", sinceMs)} ms, ${calls.failures().length} calls failed`);
      assert.ok(calls.failures().length <= fewCalls, `${calls.failures().length} calls failed`);
      for (const pod of ["a1", "a2"]) world.pod(pod).setFailing(false);
      const from = calls.count;
      await calls.settlesOn(["a1", "a2"]);
      calls.assertNoneFailed(from);
      assert.deepEqual(world.controlPlane.rejections(), []);
    });

    test("when a source of priority 0 has no pods those of priority 1 take the calls, and back, without a failed call", async (t) => {
      await using world = await startWorld({ kind, sources, services });
      const { calls } = world;
      await calls.settlesOn(["a1", "a2"]);
      const awayMs = await world.list("near");
      await calls.settlesOn(["b1"]);
      t.diagnostic(`priority 1 after ${calls.firstMs("b1", awayMs)} ms`);
      const backMs = await world.list("near", "a1", "a2");
      await calls.settlesOn(["a1", "a2"]);
      t.diagnostic(`back after ${calls.firstMs("a1", backMs)} ms`);
      calls.assertNoneFailed();
      assert.deepEqual(world.controlPlane.rejections(), []);
    });
  });
}
