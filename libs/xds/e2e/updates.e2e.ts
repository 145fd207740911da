/**
 * Updates as clients that nobody here wrote see them: `node --test libs/xds/e2e/updates.e2e.ts`. A client that cannot be had is
 * skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { foreignClients } from "../testing/foreign/index.ts";
import { startWorld, untilAccepted } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("calls go to all endpoints, and follow what changes, without a failed call", async () => {
      await using world = await startWorld(kind);
      const { calls, controlPlane, resources } = world;
      await calls.settlesOn(["a1", "a2"]);
      controlPlane.set(resources({ a: 1 }, "a1", "a2", "a3"));
      await calls.settlesOn(["a1", "a2", "a3"]);
      controlPlane.set(resources({ a: 1 }, "a3"));
      await calls.settlesOn(["a3"]);
      calls.assertNoneFailed();
      assert.deepEqual(controlPlane.rejections, []);
      assert.equal(controlPlane.clients()[0]?.protocol, kind.protocol);
      await untilAccepted(controlPlane);
    });

    test("a canary: the calls move to a new cluster, and the old one goes, without a failed call", async () => {
      await using world = await startWorld(kind);
      const { calls, controlPlane, resources } = world;
      controlPlane.set(resources({ a: 90, b: 10 }, "a1"));
      await calls.settlesOn(["a1", "b1"]);
      controlPlane.set(resources({ a: 50, b: 50 }, "a1"));
      await untilAccepted(controlPlane);
      const { b1: half = 0 } = await calls.next(200);
      assert.ok(half > 50 && half < 150, `${half} of 200 calls go to b`);
      controlPlane.set(resources({ b: 100 }));
      await calls.settlesOn(["b1"]);
      controlPlane.set(resources({ a: 100 }, "a1", "a2"));
      await calls.settlesOn(["a1", "a2"]);
      calls.assertNoneFailed();
      assert.deepEqual(controlPlane.rejections, []);
    });
  });
}
