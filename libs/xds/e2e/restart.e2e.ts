/**
 * Control planes that end and start again, as clients that nobody here wrote see them: `node --test libs/xds/e2e/restart.e2e.ts`. A
 * client that cannot be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import type { Resource } from "../src/cache/index.ts";
import { foreignClients } from "../testing/foreign/index.ts";
import { startWorld, untilAccepted } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("while the control plane is down calls go on, and afterwards changes arrive", async () => {
      await using world = await startWorld(kind);
      const { calls, controlPlane, resources } = world;
      await calls.settlesOn(["a1", "a2"]);
      controlPlane.stop();
      await calls.next(100);
      await calls.settlesOn(["a1", "a2"]);
      await controlPlane.start(resources({ a: 1 }, "a2", "a3"));
      await calls.settlesOn(["a2", "a3"]);
      calls.assertNoneFailed();
    });

    test("the same resources with other versions after a restart change nothing, and then changes arrive", async () => {
      await using world = await startWorld(kind);
      const { calls, controlPlane, resources } = world;
      await calls.settlesOn(["a1", "a2"]);
      for (const version of [1, 2]) {
        controlPlane.stop();
        await controlPlane.start(resources({ a: 1 }, "a1", "a2").map((resource) => withVersion(resource, version)));
        await untilAccepted(controlPlane);
        await calls.settlesOn(["a1", "a2"]);
      }
      controlPlane.set(resources({ a: 1 }, "a2", "a3"));
      await calls.settlesOn(["a2", "a3"]);
      calls.assertNoneFailed();
      assert.deepEqual(controlPlane.rejections, []);
    });
  });
}

/** A resource as a control plane sends it that counts its versions. */
function withVersion(resource: Resource, count: number): Resource {
  const version = String(count).padStart(16, "0");
  const deltaField = Buffer.from(resource.deltaField);
  deltaField.write(version, deltaField.indexOf(resource.version));
  const start = deltaField.indexOf(resource.stateField);
  return {
    ...resource,
    version,
    deltaField,
    stateField: deltaField.subarray(start, start + resource.stateField.length),
  };
}
