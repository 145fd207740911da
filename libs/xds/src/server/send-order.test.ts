import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import type { DeltaDiscoveryResponse, DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { sampleCluster, sampleEndpoints, sampleListener, sampleRoute } from "../../testing/sample-resources.ts";
import { deltaClient, stateClient } from "../../testing/scripted-client.ts";
import { SnapshotCache } from "../cache/index.ts";
import { typeUrls } from "../type-urls.ts";
import { createAdsServerIn } from "./ads-server.ts";

const { listener, route, cluster, endpoints } = typeUrls;
const orderTimeoutMs = 500;

after(assertNothingLeft);

/** A control plane that has just started, with these clusters, and a route to all of them. */
async function start(ending: AsyncDisposableStack, ...clusters: string[]) {
  const cache = new SnapshotCache();
  const clock = new ManualClock();
  const weights = Object.fromEntries(clusters.map((name) => [name, 1]));
  const ofClusters = clusters.flatMap((name, n) => [sampleCluster(name), sampleEndpoints(name, [n + 1])]);
  cache.setSnapshot("", [sampleListener("l", { route: "r" }), sampleRoute("r", weights), ...ofClusters]);
  const ads = createAdsServerIn({ cache, orderTimeoutMs, limits: { maxResponseBytes: 1 } }, { clock });
  const server = new Server();
  ads.addTo(server);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
  const port = await promise;
  ending.defer(() => server.forceShutdown());
  /** The server has read so many requests, and has done what they ask for. */
  const settled = async (requests: number) => {
    await until(() => ads.stats().requests === requests, `${requests} requests`);
    for (let i = 0; i < 5; i++) await turn();
  };
  return { port, clock, settled, cache };
}

const tell = (response: DiscoveryResponse | DeltaDiscoveryResponse) => {
  const kind = Object.entries(typeUrls).find(([, url]) => url === response.typeUrl)?.[0];
  if ("versionInfo" in response) return `${kind} ${response.resources.length}`;
  const names = response.resources.map(({ name }) => name);
  return [kind, ...names, ...response.removedResources.map((name) => `-${name}`)].join(" ");
};

describe("a client that comes back with what an earlier control plane gave it", () => {
  test("delta: gets what is new, then the route, then the removals", async () => {
    await using ending = new AsyncDisposableStack();
    const { port, settled } = await start(ending, "b");
    const client = deltaClient(port);
    ending.defer(() => client.close());
    const had = (...names: string[]) => ({
      resourceNamesSubscribe: names,
      initialResourceVersions: Object.fromEntries(names.map((name) => [name, "old"])),
    });
    client.send({ typeUrl: cluster, ...had("a"), resourceNamesSubscribe: ["*"] });
    client.send({ typeUrl: endpoints, ...had("a") });
    client.send({ typeUrl: listener, ...had("l"), resourceNamesSubscribe: ["*"] });
    client.send({ typeUrl: route, ...had("r") });
    assert.equal(tell(await client.accept()), "cluster b");
    assert.equal(tell(await client.accept()), "endpoints", "the first request is always answered");
    await settled(6);
    assert.equal(client.unread, 0, "listener and route wait for the endpoints of b");
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["b"] });
    const told: string[] = [];
    for (let n = 0; n < 5; n++) told.push(tell(await client.accept()));
    assert.deepEqual(told, ["endpoints b", "listener l", "route r", "cluster -a", "endpoints -a"]);
  });

  test("state of the world: clusters that come are before the route", async () => {
    await using ending = new AsyncDisposableStack();
    const { port, settled } = await start(ending, "a", "b");
    const client = stateClient(port);
    ending.defer(() => client.close());
    client.send({ typeUrl: cluster, versionInfo: "old" });
    client.send({ typeUrl: endpoints, versionInfo: "old", resourceNames: ["a"] });
    client.send({ typeUrl: listener, versionInfo: "old" });
    client.send({ typeUrl: route, versionInfo: "old", resourceNames: ["r"] });
    assert.equal(tell(await client.accept()), "cluster 2");
    const { nonce } = await client.next();
    await settled(5);
    assert.equal(client.unread, 0, "listener and route wait for the endpoints of b");
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"], responseNonce: nonce });
    assert.equal(tell(await client.accept({ resourceNames: ["a", "b"] })), "endpoints 1");
    assert.equal(tell(await client.accept()), "listener 1");
    assert.equal(tell(await client.accept({ resourceNames: ["r"] })), "route 1");
  });

  test("state of the world: clusters go after the route", async () => {
    await using ending = new AsyncDisposableStack();
    const { port, settled } = await start(ending, "b");
    const client = stateClient(port);
    ending.defer(() => client.close());
    client.send({ typeUrl: cluster, versionInfo: "old" });
    client.send({ typeUrl: endpoints, versionInfo: "old", resourceNames: ["a", "b"] });
    await settled(2);
    assert.equal(tell(await client.accept({ resourceNames: ["a", "b"] })), "endpoints 1");
    client.send({ typeUrl: listener, versionInfo: "old" });
    client.send({ typeUrl: route, versionInfo: "old", resourceNames: ["r"] });
    assert.equal(tell(await client.accept()), "listener 1");
    assert.equal(tell(await client.accept({ resourceNames: ["r"] })), "route 1");
    assert.equal(tell(await client.accept()), "cluster 1");
  });

  test("state of the world: one that names a cluster that is gone is told when it names it no longer", async () => {
    await using ending = new AsyncDisposableStack();
    const { port, settled } = await start(ending, "b");
    const client = stateClient(port);
    ending.defer(() => client.close());
    client.send({ typeUrl: cluster, versionInfo: "old", resourceNames: ["a", "b"] });
    client.send({ typeUrl: route, versionInfo: "old", resourceNames: ["r"] });
    assert.equal(tell(await client.accept({ resourceNames: ["r"] })), "route 1");
    await settled(3);
    assert.equal(client.unread, 0);
    client.send({ typeUrl: cluster, versionInfo: "old", resourceNames: ["b"] });
    assert.equal(tell(await client.accept({ resourceNames: ["b"] })), "cluster 1");
  });

  test("state of the world: one that goes on naming it is told after the limit", async () => {
    await using ending = new AsyncDisposableStack();
    const { port, clock, settled } = await start(ending, "b");
    const client = stateClient(port);
    ending.defer(() => client.close());
    client.send({ typeUrl: cluster, versionInfo: "old", resourceNames: ["a", "b"] });
    await settled(1);
    assert.equal(client.unread, 0);
    clock.advance(orderTimeoutMs);
    assert.equal(tell(await client.accept({ resourceNames: ["a", "b"] })), "cluster 1");
  });
});

describe("clusters that change many times in a row", () => {
  const config = (routed: string, ...clusters: (readonly [name: string, port: number, connectSeconds?: number])[]) => [
    sampleListener("l", { route: "r" }),
    sampleRoute("r", { [routed]: 1 }),
    ...clusters.flatMap(([name, port, seconds]) => [sampleCluster(name, seconds), sampleEndpoints(name, [port])]),
  ];
  const open = async (ending: AsyncDisposableStack) => {
    const world = await start(ending, "a");
    const client = deltaClient(world.port);
    ending.defer(() => client.close());
    for (const [typeUrl, ...names] of [[cluster], [endpoints, "a", "b"], [listener], [route, "r"]] as const) {
      client.send({ typeUrl, resourceNamesSubscribe: names });
    }
    const told: string[] = [];
    for (let n = 0; n < 5; n++) told.push(tell(await client.accept()));
    assert.deepEqual(told, ["cluster a", "endpoints a", "listener l", "route r", "endpoints -b"]);
    await world.settled(9);
    return { ...world, client };
  };

  test("a route waits for the endpoints of a cluster that come after it, not for those that came before", async () => {
    await using ending = new AsyncDisposableStack();
    const { client, cache, settled } = await open(ending);
    cache.updateSnapshot("", { upserts: [sampleEndpoints("b", [1])] });
    const early = await client.next();
    cache.setSnapshot("", config("b", ["a", 1], ["b", 1]));
    assert.equal(tell(await client.accept()), "cluster b");
    client.send({ typeUrl: endpoints, responseNonce: early.nonce });
    const { nonce, resources } = await client.next();
    assert.equal(resources[0]?.name, "b");
    await settled(11);
    assert.equal(client.unread, 0, "the endpoints are not accepted yet");
    client.send({ typeUrl: endpoints, responseNonce: nonce });
    assert.equal(tell(await client.accept()), "route r");
  });

  test("a route waits for the endpoints of a cluster that the client has, and whose endpoints were gone", async () => {
    await using ending = new AsyncDisposableStack();
    const { client, cache, settled } = await open(ending);
    cache.setSnapshot("", config("a", ["a", 1], ["b", 1]));
    const added = await client.next();
    assert.equal(tell(added), "cluster b");
    assert.equal(tell(await client.accept()), "endpoints b");
    cache.setSnapshot("", config("a", ["a", 11]));
    assert.equal(tell(await client.accept()), "endpoints a", "b goes when the client has answered to its cluster");
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["b"] });
    assert.equal(tell(await client.accept()), "endpoints -b");
    cache.setSnapshot("", config("a", ["a", 12]));
    const busy = await client.next();
    assert.equal(tell(busy), "endpoints a");
    cache.setSnapshot("", config("b", ["a", 12], ["b", 2, 7]));
    client.send({ typeUrl: cluster, responseNonce: added.nonce });
    assert.equal(tell(await client.accept()), "cluster b", "which is another one");
    await settled(15);
    assert.equal(client.unread, 0, "the endpoints are not even sent");
    client.send({ typeUrl: endpoints, responseNonce: busy.nonce });
    assert.equal(tell(await client.accept()), "endpoints b");
    assert.equal(tell(await client.accept()), "route r");
  });
});

test("what waits for a route goes when the route turns out to be what the client has", async () => {
  await using ending = new AsyncDisposableStack();
  const { port, cache } = await start(ending, "a", "b");
  cache.updateSnapshot("", { upserts: [sampleRoute("s", { a: 1 })] });
  const client = deltaClient(port);
  ending.defer(() => client.close());
  client.send({ typeUrl: cluster });
  client.send({ typeUrl: route, resourceNamesSubscribe: ["r", "s"] });
  for (let n = 0; n < 4; n++) await client.accept();
  const { version = "" } = cache.snapshot("")?.get(route, "s") ?? {};
  client.close();

  const again = deltaClient(port);
  ending.defer(() => again.close());
  cache.updateSnapshot("", { upserts: [sampleRoute("r", { a: 2 })] });
  again.send({
    ...{ typeUrl: cluster, resourceNamesSubscribe: ["*"] },
    initialResourceVersions: { ...versionsOf(cache, cluster, "a", "b"), gone: "old" },
  });
  again.send({
    ...{ typeUrl: route, resourceNamesSubscribe: ["r", "s"] },
    initialResourceVersions: { r: "old", s: version },
  });
  const told: string[] = [];
  for (let n = 0; n < 3; n++) told.push(tell(await again.accept()));
  assert.deepEqual(told, ["cluster", "route r", "cluster -gone"]);
});

function versionsOf(cache: SnapshotCache, typeUrl: string, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, cache.snapshot("")?.get(typeUrl, name)?.version ?? ""]));
}
