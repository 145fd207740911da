/**
 * Weights of endpoints with clients that nobody here wrote: `node --test apps/control-plane/e2e/weights.e2e.ts`. A client that cannot
 * be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { foreignClients } from "@grpc-lb/xds/testing/foreign";
import { startWorld } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

const count = 1_200;
/** Five standard deviations of a share of that many calls that are drawn at random, as gRPC draws them. */
const bound = 0.07;
const users = 500;
/** The same of that many users, and what a ring of 1024 entries is off. */
const ringBound = 0.15;

const sources = {
  pods: [
    { pod: "a1", weight: 1 },
    { pod: "a2", weight: 3 },
  ],
};

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("an endpoint of weight 3 gets three times the calls of one of weight 1, and follows its weight", async (t) => {
      await using world = await startWorld({
        kind,
        sources,
        services: (target) => ({ server: { target: target("pods") } }),
        calls: { atOnce: 4, gapMs: 1 },
      });
      const { calls, controlPlane } = world;
      await calls.settlesOn(["a1", "a2"]);
      const share = async (pod: string) => ((await calls.next(count))[pod] ?? 0) / count;
      const first = await share("a2");
      assert.ok(Math.abs(first - 0.75) < bound, `a2 got ${first} of the calls`);

      await world.list("pods", { pod: "a1", weight: 3 }, { pod: "a2", weight: 1 }, "a3");
      await calls.settlesOn(["a1", "a2", "a3"]);
      const second = await share("a1");
      assert.ok(Math.abs(second - 0.6) < bound, `a1 got ${second} of the calls`);
      t.diagnostic(`of 1:3 ${(first * 100).toFixed(1)} %, then of 3:1:1 ${(second * 100).toFixed(1)} %`);
      calls.assertNoneFailed();
      assert.deepEqual(controlPlane.rejections(), []);
    });

    test("ring_hash: a user stays with a pod, and a pod of weight 3 has three times the users of one of weight 1", async (t) => {
      await using world = await startWorld({
        kind,
        sources,
        services: (target) => ({ server: { target: target("pods"), policy: "ring_hash", hashHeader: "user" } }),
      });
      const podsOfUsers = async () => {
        const pods: string[] = [];
        for (let user = 0; user < users; user++) pods.push(await world.call(`user-${user}`));
        return pods;
      };
      const pods = await podsOfUsers();
      assert.deepEqual(await podsOfUsers(), pods);
      const share = pods.filter((pod) => pod === "a2").length / users;
      assert.ok(Math.abs(share - 0.75) < ringBound, `a2 has ${share} of the users`);
      t.diagnostic(`of 1:3 ${(share * 100).toFixed(1)} %`);
      world.calls.assertNoneFailed();
      assert.deepEqual(world.controlPlane.rejections(), []);
    });
  });
}
