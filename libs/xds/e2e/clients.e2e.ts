/**
 * The server of ADS with clients that nobody here wrote: @grpc/grpc-js-xds, grpc-go and Envoy. Run by
 * `node --test libs/xds/e2e/clients.e2e.ts`; a client that cannot be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import type { Resource } from "../src/cache/index.ts";
import type { ClusterLoadReport } from "../src/server/index.ts";
import { typeUrls } from "../src/type-urls.ts";
import {
  brokenCluster,
  sampleCluster,
  sampleEndpoints,
  sampleListener,
  sampleRoute,
} from "../testing/sample-resources.ts";
import { type ForeignClient, foreignClients } from "./client.ts";
import { ControlPlane } from "./control-plane.ts";
import { type Pod, startPod } from "./pod.ts";

after(assertNothingLeft);

for (const kind of foreignClients()) {
  describe(kind.name, { skip: kind.missing ?? false, timeout: 300_000 }, () => {
    const controlPlane = new ControlPlane();
    let pods: Record<"a1" | "a2" | "a3" | "b1", Pod>;
    let listener: Resource;
    let client: ForeignClient;

    const portsOf = (...names: (keyof typeof pods)[]) => names.map((name) => pods[name].port);
    /** Routes by weight to cluster a, with some of its pods, and to cluster b. */
    const resources = (weights: Record<string, number>, a: (keyof typeof pods)[], ...more: Resource[]) => [
      listener,
      sampleRoute("l-route", weights),
      ...("a" in weights ? [sampleCluster("a"), sampleEndpoints("a", portsOf(...a))] : []),
      ...("b" in weights ? [sampleCluster("b"), sampleEndpoints("b", portsOf("b1"))] : []),
      ...more,
    ];
    /** The pods of some calls, each of which must succeed. */
    const podsOf = async (calls: number) => {
      const counts: Record<string, number> = {};
      for (let i = 0; i < calls; i++) {
        const pod = await client.call();
        counts[pod] = (counts[pod] ?? 0) + 1;
      }
      return counts;
    };
    /** Calls until the pods are these; all calls must succeed. */
    const untilPods = async (...names: string[]) => {
      let last: string[] = [];
      for (const endMs = performance.now() + 20_000; performance.now() < endMs; ) {
        last = Object.keys(await podsOf(24)).sort();
        if (last.join() === names.join()) return;
      }
      assert.deepEqual(last, names);
    };
    const untilTrue = async (condition: () => boolean, what: string) => {
      for (const endMs = performance.now() + 20_000; !condition(); await delay(20)) {
        assert.ok(performance.now() < endMs, what);
      }
    };

    before(async () => {
      const [a1, a2, a3, b1] = await Promise.all([startPod("a1"), startPod("a2"), startPod("a3"), startPod("b1")]);
      pods = { a1, a2, a3, b1 };
      const port = kind.isProxy ? await freePort() : undefined;
      listener = sampleListener("l", port === undefined ? {} : { port });
      await controlPlane.start(resources({ a: 1 }, ["a1", "a2"]));
      client = await kind.start(controlPlane.port, port ?? 0);
      for (const endMs = performance.now() + 20_000; performance.now() < endMs; ) {
        if (
          await client.call().then(
            () => true,
            () => false,
          )
        )
          break;
        await delay(50);
      }
    });
    after(async () => {
      await client?.close();
      controlPlane.stop();
      for (const pod of Object.values(pods ?? {})) pod.close();
    });

    test("calls go to all endpoints, and follow what changes, without a failed call", async () => {
      await untilPods("a1", "a2");
      controlPlane.set(resources({ a: 1 }, ["a1", "a2", "a3"]));
      await untilPods("a1", "a2", "a3");
      controlPlane.set(resources({ a: 1 }, ["a3"]));
      await untilPods("a3");
      assert.deepEqual(controlPlane.rejections, []);
      const [status] = controlPlane.clients;
      assert.equal(status?.protocol, kind.protocol);
      const states = new Set(
        status?.resources.filter(({ typeUrl }) => typeUrl !== typeUrls.listener).map(({ state }) => state),
      );
      assert.deepEqual([...states], ["acked"]);
    });

    test("a canary: the calls move to a new cluster, and the old one goes, without a failed call", async () => {
      controlPlane.set(resources({ a: 90, b: 10 }, ["a1"]));
      await untilPods("a1", "b1");
      controlPlane.set(resources({ a: 50, b: 50 }, ["a1"]));
      const { b1: half = 0 } = await podsOf(200);
      assert.ok(half > 50 && half < 150, `${half} of 200 calls go to b`);
      controlPlane.set(resources({ b: 100 }, []));
      await untilPods("b1");
      controlPlane.set(resources({ a: 100 }, ["a1", "a2"]));
      await untilPods("a1", "a2");
    });

    test("a cluster that is rejected is reported with the reason, and the last good one serves", async () => {
      const before = controlPlane.rejections.length;
      controlPlane.set([
        listener,
        sampleRoute("l-route", { a: 1 }),
        brokenCluster("a"),
        sampleEndpoints("a", portsOf("a1", "a2")),
      ]);
      await untilTrue(() => controlPlane.rejections.length > before, "the rejection is reported");
      const [rejection] = controlPlane.rejections.slice(before);
      assert.equal(rejection?.typeUrl, typeUrls.cluster);
      assert.notEqual(rejection?.message, "");
      await untilPods("a1", "a2");
      controlPlane.set(resources({ a: 1 }, ["a2"]));
      await untilPods("a2");
    });

    test("the client reports the load of the cluster", async () => {
      await podsOf(50);
      const isLoad = ({ cluster, localities }: ClusterLoadReport) =>
        cluster === "a" && localities.some(({ succeeded }) => succeeded > 0);
      await untilTrue(() => controlPlane.reports.some(isLoad), "a report with calls arrives");
      const endpoints = controlPlane.reports.flatMap(({ localities }) => localities.flatMap((one) => one.endpoints));
      const hasEndpoint = endpoints.some(({ address }) => address === `127.0.0.1:${pods.a2.port}`);
      assert.equal(hasEndpoint, kind.isProxy, "only Envoy reports endpoints one by one");
    });

    test("while the control plane is down calls go on, and afterwards changes arrive", async () => {
      controlPlane.stop();
      assert.deepEqual(Object.keys(await podsOf(100)), ["a2"]);
      await controlPlane.start(resources({ a: 1 }, ["a2", "a3"]));
      await untilPods("a2", "a3");
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
