/** The control plane as gRPC's own client for Node sees it. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNothingLeft, turn, until } from "@grpc-lb/core/testing";
import { startChild } from "@grpc-lb/program";
import { programEnv } from "@grpc-lb/program/testing";
import { startControlPlane } from "../../testing/control-plane.ts";
import { startPod } from "../../testing/pods.ts";

afterEach(assertNothingLeft);

const [a, b, c] = ["static:///10.0.0.1:1", "static:///10.0.0.1:2", "static:///10.0.0.1:3"] as const;

/** A client in a process of its own: the package registers itself for good, and leaves timers. */
function startClient(target: string, port: number) {
  const calls: string[] = [];
  const errors: string[] = [];
  let onCall = () => {};
  const child = startChild({
    command: process.execPath,
    args: [fileURLToPath(new URL("../../testing/proxyless-client.ts", import.meta.url)), target],
    env: {
      ...programEnv(),
      GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify({
        xds_servers: [
          { server_uri: `127.0.0.1:${port}`, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] },
        ],
        node: { id: "test", cluster: "test", locality: {} },
      }),
    },
    onStdout(line) {
      calls.push(line);
      onCall();
    },
    onStderr: (line) => errors.push(line),
  });
  /** Resolves after the first call for which a condition holds. */
  const whenCalls = async (condition: () => boolean, what: string) => {
    const held = Promise.withResolvers<void>();
    onCall = () => condition() && held.resolve();
    onCall();
    const explain = () => held.reject(new Error(`${what}: got ${calls.slice(-3).join()}; ${errors.join(" ")}`));
    const deadline = setTimeout(explain, 60_000);
    await held.promise.finally(() => clearTimeout(deadline));
  };
  return {
    calls,
    /** The pods that the next `count` calls went to. */
    async next(count: number) {
      const start = calls.length;
      await whenCalls(() => calls.length >= start + count, `${count} calls`);
      return calls.slice(start, start + count);
    },
    /** Waits until `count` calls in a row went to these pods, and to each of them. */
    settlesOn: (count: number, ...pods: readonly string[]) =>
      whenCalls(
        () => {
          const last = calls.slice(-count);
          return last.length === count && last.every((pod) => pods.includes(pod)) && new Set(last).size === pods.length;
        },
        `${count} calls to ${pods.join(" and ")}`,
      ),
    stop: async () => void (await child.stop()),
  };
}

test("gRPC's own client gets endpoints, weights, splits and failover without a failed call, and outlives the control plane", async () => {
  await using ending = new AsyncDisposableStack();
  const pods = await Promise.all(["p1", "p2", "p3", "p4"].map((name) => startPod(name)));
  for (const pod of pods) ending.defer(() => pod.stop());
  const [p1, p2, p3, p4] = pods.map(({ endpoint }) => endpoint) as [
    (typeof pods)[0]["endpoint"],
    ...(typeof pods)[0]["endpoint"][],
  ];
  assert.ok(p2 && p3 && p4);
  const v1 = { target: a, outlierDetection: { failurePercentage: {} }, circuitBreaker: { maxRequests: 100 } };
  const v2 = { sources: [{ target: b }, { target: c, priority: 1 }] };
  const split = (one: number, two: number) => ({
    v1,
    v2,
    server: { split: { v1: one, v2: two }, retries: {}, timeout: "5s" },
  });
  const first = await startControlPlane(split(100, 0));
  let isRunning = true;
  ending.defer(() => (isRunning ? first.stop() : undefined));
  await until(() => first.sources.running.length === 3, "the sources");
  for (const [target, endpoint] of [
    [a, p1],
    [b, p3],
    [c, p4],
  ] as const)
    first.sources.answer(target, endpoint);
  await first.publisher.published;
  const client = startClient("xds:///server", first.port);
  ending.defer(() => client.stop());
  await client.settlesOn(4, "p1");

  first.sources.answer(a, { ...p1, weight: 3 }, p2);
  await client.settlesOn(20, "p1", "p2");
  const share = (await client.next(400)).filter((pod) => pod === "p1").length / 400;
  assert.ok(Math.abs(share - 0.75) < 0.1, `p1 has three times the weight of p2, and got ${share} of the calls`);
  assert.equal(pods[0]?.connections, 1, "an update does not connect again");

  first.serve(split(50, 50));
  await client.settlesOn(40, "p1", "p2", "p3");
  first.serve(split(0, 100));
  await client.settlesOn(40, "p3");
  first.sources.answer(b);
  await client.settlesOn(10, "p4");

  // Another control plane takes the place of this one; its sources have not answered yet.
  await first.stop();
  isRunning = false;
  await client.next(20);
  const second = await startControlPlane(split(0, 100), { port: first.port });
  ending.defer(() => second.stop());
  await until(() => second.sources.running.length === 3, "the sources of the other");
  await until(() => second.clients().length === 1, "the client is back");
  await turn();
  await client.next(20);
  assert.deepEqual(new Set(client.calls.slice(-40)), new Set(["p4"]), "the client keeps the endpoints that it has");
  for (const [target, endpoint] of [
    [a, p1],
    [b, p2],
    [c, p4],
  ] as const)
    second.sources.answer(target, endpoint);
  await client.settlesOn(10, "p2");
  assert.deepEqual(
    client.calls.filter((line) => line.startsWith("error")),
    [],
  );
  assert.deepEqual([first.problems, second.problems], [[], []]);
});
