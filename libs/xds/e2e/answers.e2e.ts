/**
 * What clients that nobody here wrote say to a control plane: `node --test libs/xds/e2e/answers.e2e.ts`. A client that cannot be had is
 * skipped with the reason.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import type { ClusterLoadReport } from "../src/server/index.ts";
import { typeUrls } from "../src/type-urls.ts";
import { foreignClients } from "../testing/foreign/index.ts";
import { brokenCluster, sampleEndpoints, sampleRoute } from "../testing/sample-resources.ts";
import { startWorld, untilTrue } from "./world.ts";

const kinds = await foreignClients();
after(assertNothingLeft);

for (const kind of kinds) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    test("a cluster that is rejected is reported with the reason, and the last good one serves", async () => {
      await using world = await startWorld(kind);
      const { calls, controlPlane, listener, portsOf, resources } = world;
      const endpoints = sampleEndpoints("a", portsOf("a1", "a2"));
      controlPlane.set([listener, sampleRoute("l-route", { a: 1 }), brokenCluster("a"), endpoints]);
      await untilTrue(() => controlPlane.rejections.length > 0, "the rejection is reported");
      const [rejection] = controlPlane.rejections;
      assert.equal(rejection?.typeUrl, typeUrls.cluster);
      assert.notEqual(rejection?.message, "");
      await calls.settlesOn(["a1", "a2"]);
      controlPlane.set(resources({ a: 1 }, "a2"));
      await calls.settlesOn(["a2"]);
      calls.assertNoneFailed();
    });

    test("the client reports the load of the cluster", async () => {
      await using world = await startWorld(kind);
      const { controlPlane, portsOf } = world;
      const [address] = portsOf("a1").map((port) => `127.0.0.1:${port}`);
      const hasCalls = ({ cluster, localities }: ClusterLoadReport) =>
        cluster === "a" && localities.some(({ succeeded }) => succeeded > 0);
      const hasEndpoint = ({ localities }: ClusterLoadReport) =>
        localities.some(({ endpoints }) => endpoints.some((endpoint) => endpoint.address === address));
      await untilTrue(() => controlPlane.reports.filter(hasCalls).length >= 2, "reports with calls arrive");
      // Only Envoy reports endpoints one by one.
      if (kind.isProxy) await untilTrue(() => controlPlane.reports.some(hasEndpoint), "a report has the endpoint");
      else assert.ok(!controlPlane.reports.some(hasEndpoint));
    });
  });
}
