/**
 * Outlier detection with clients that nobody here wrote: `node --test apps/control-plane/e2e/outliers.e2e.ts`. A client that cannot be
 * had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { foreignClients } from "@grpc-lb/xds/testing/foreign";
import { type Services, startWorld } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

/** gRPC knows the percentage alone, and looks at it once an interval. */
const services: Services = (target) => ({
  server: {
    target: target("pods"),
    outlierDetection: {
      ...{ interval: "1s", baseEjectionTime: "5s", consecutiveErrors: 3 },
      failurePercentage: { threshold: 50, minimumHosts: 3, requestVolume: 5 },
    },
  },
});
const sources = { pods: ["a1", "a2", "a3"] };
/** A pod gets 33 of these calls a second, or fewer. */
const pace = { atOnce: 1, gapMs: 10 };
/** The calls that it gets in three intervals: one that begins before it fails, one that shows it, and a margin. */
const fewCalls = 100;

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("a pod that answers UNAVAILABLE is ejected, gets no more calls, and returns", async (t) => {
      await using world = await startWorld({ kind, sources, services, calls: pace });
      const { calls } = world;
      await calls.settlesOn(["a1", "a2", "a3"]);
      const from = calls.count;
      const failingMs = performance.now();
      world.pod("a3").setFailing(true);
      await calls.settlesOn(["a1", "a2"]);
      const ejectedMs = Math.round(performance.now() - failingMs);
      const failed = calls.failures(from).length;
      assert.ok(failed > 0 && failed <= fewCalls, `${failed} calls failed`);
      assert.equal(calls.failures(from).filter((reason) => !reason.includes("a3 fails")).length, 0);
      world.pod("a3").setFailing(false);
      const after = calls.count;
      await calls.settlesOn(["a1", "a2", "a3"]);
      calls.assertNoneFailed(after);
      t.diagnostic(
        `${failed} calls failed, ejected within ${ejectedMs} ms, back after ${calls.firstMs("a3", failingMs)} ms`,
      );
      assert.deepEqual(world.controlPlane.rejections(), []);
    });
  });
}
