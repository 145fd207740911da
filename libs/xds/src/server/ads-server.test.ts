import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { DeltaDiscoveryResponse, DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { sampleCluster, sampleEndpoints, sampleListener, sampleRoute } from "../../testing/sample-resources.ts";
import { deltaClient, stateClient } from "../../testing/scripted-client.ts";
import { createResource, type Resource, SnapshotCache } from "../cache/index.ts";
import { typeUrls } from "../type-urls.ts";
import { createAdsServerIn } from "./ads-server.ts";
import type { AdsRejection, AdsServer, AdsServerOptions } from "./api.ts";
import { delta } from "./delta.ts";
import { ResponseEncoder } from "./response-encoder.ts";

const { listener, route, cluster, endpoints } = typeUrls;
const edsOf = (name: string, ...ports: number[]) => sampleEndpoints(name, ports);
const namesOf = ({ resources }: DeltaDiscoveryResponse) => resources.map(({ name }) => name).sort();
const kindOf = ({ typeUrl }: DeltaDiscoveryResponse | DiscoveryResponse) =>
  Object.entries(typeUrls).find(([, url]) => url === typeUrl)?.[0];

let cache: SnapshotCache;
let clock: ManualClock;
let server: Server;
let ads: AdsServer;
let port: number;
let rejections: AdsRejection[];
let ended: string[];
let clients: { close(): void }[];

const start = async (options: Partial<AdsServerOptions> = {}) => {
  ads = createAdsServerIn(
    {
      cache,
      identifier: "test",
      onRejected: (rejection) => rejections.push(rejection),
      onDisconnected: (_, reason) => ended.push(reason),
      ...options,
    },
    { clock },
  );
  server = new Server({ "grpc.max_receive_message_length": 1_000_000 });
  ads.addTo(server);
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
};
const openDelta = () => remember(deltaClient(port));
const openState = () => remember(stateClient(port));
const remember = <T extends { close(): void }>(client: T): T => {
  clients.push(client);
  return client;
};
/** The server has read everything that was sent before. */
const settled = async (requests: number) => {
  await until(() => ads.stats().requests === requests, `${requests} requests`);
  for (let i = 0; i < 5; i++) await turn();
};

beforeEach(() => {
  cache = new SnapshotCache();
  clock = new ManualClock();
  rejections = [];
  ended = [];
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await until(() => ads.stats().streams === 0, "no stream is left");
  assert.equal(clock.sleeping, 0, "no timer is left");
  server.forceShutdown();
});

after(assertNothingLeft);

describe("delta", () => {
  test("sends the named resources, then what changes of them, and says which are missing or removed", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2), edsOf("c", 3)]);
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a", "b", "none"] });
    const first = await client.accept();
    assert.deepEqual([namesOf(first), first.removedResources], [["a", "b"], ["none"]]);
    assert.equal(first.controlPlane?.identifier, "test");

    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 22), edsOf("c", 33), edsOf("none", 4)]);
    assert.deepEqual(namesOf(await client.accept()), ["b", "none"]);

    cache.setSnapshot("", [edsOf("b", 22)]);
    const last = await client.accept();
    assert.deepEqual([namesOf(last), [...last.removedResources].sort()], [[], ["a", "none"]]);
    await settled(4);
    assert.deepEqual([...ads.clientStatuses()][0]?.resources.map(({ name, state }) => `${name} ${state}`).sort(), [
      "a missing",
      "b acked",
      "none missing",
    ]);
  });

  test("a wildcard gets all clusters; a name that is asked for again is sent again; unsubscribed ones are not", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2), sampleCluster("a"), sampleCluster("b")]);
    const client = openDelta();
    client.send({ typeUrl: cluster });
    assert.deepEqual(namesOf(await client.accept()), ["a", "b"]);
    client.send({ typeUrl: cluster, resourceNamesSubscribe: ["a"] });
    assert.deepEqual(namesOf(await client.accept()), ["a"]);
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["*"] });
    assert.deepEqual(namesOf(await client.accept()), ["a", "b"]);
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["b"], resourceNamesUnsubscribe: ["*"] });
    assert.deepEqual(namesOf(await client.accept()), ["b"]);
    cache.updateSnapshot("", { upserts: [edsOf("a", 11), edsOf("b", 22)] });
    assert.deepEqual(namesOf(await client.accept()), ["b"]);
  });

  test("a client that wants all instead of names learns what has gone since its last answer", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2)]);
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a", "b"] });
    const { nonce } = await client.next();
    cache.setSnapshot("", [edsOf("a", 1)]);
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["*"], resourceNamesUnsubscribe: ["a", "b"] });
    client.send({ typeUrl: endpoints, responseNonce: nonce });
    const response = await client.accept();
    assert.deepEqual([namesOf(response), response.removedResources], [["a"], ["b"]]);
  });

  test("names that a client of all resources makes up are not kept", async () => {
    await start({ limits: { maxSubscriptions: 4 } });
    cache.setSnapshot("", [edsOf("a", 1), sampleCluster("a")]);
    const client = openDelta();
    client.send({ typeUrl: cluster });
    await client.accept();
    for (const name of ["x", "y", "z"]) client.send({ typeUrl: cluster, resourceNamesUnsubscribe: [name] });
    client.send({ typeUrl: cluster, resourceNamesUnsubscribe: ["a"] });
    const again = await client.accept();
    assert.deepEqual([namesOf(again), again.removedResources], [["a"], []]);
    const resuming = openDelta();
    const names = ["a", "b", "c", "d"];
    const initialResourceVersions = Object.fromEntries(names.map((name) => [name, "old"]));
    resuming.send({ typeUrl: endpoints, resourceNamesSubscribe: names, initialResourceVersions });
    assert.equal((await resuming.accept()).removedResources.length, 3, "a name counts once, though it is given twice");
    const greedy = openDelta();
    cache.updateSnapshot("", { pending: names.map((name) => ({ typeUrl: endpoints, name })) });
    greedy.send({ typeUrl: endpoints, resourceNamesSubscribe: ["*"], initialResourceVersions });
    greedy.send({ typeUrl: "t.v1.T", resourceNamesSubscribe: names });
    await until(() => greedy.error !== undefined, "what it resumes counts");
    assert.equal(greedy.error?.code, status.RESOURCE_EXHAUSTED);
  });

  test("after a reconnect only the difference is sent, and the first request is always answered", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2)]);
    const version = cache.snapshot("")?.get(endpoints, "a")?.version ?? "";
    const same = openDelta();
    same.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"], initialResourceVersions: { a: version } });
    assert.deepEqual(namesOf(await same.accept()), []);
    const changed = openDelta();
    const initialResourceVersions = { a: version, b: "old", gone: "old" };
    changed.send({ typeUrl: endpoints, resourceNamesSubscribe: ["*"], initialResourceVersions });
    const response = await changed.accept();
    assert.deepEqual([namesOf(response), response.removedResources], [["b"], ["gone"]]);
  });

  test("a rejection is reported, its resource stays unsent until it changes, and stale nonces answer nothing", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2)]);
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    const { nonce } = await client.next();
    const errorDetail = { code: 3, message: "bad\nport", details: [] };
    client.send({ typeUrl: endpoints, responseNonce: "99", errorDetail });
    client.send({ typeUrl: endpoints, responseNonce: nonce, errorDetail });
    client.send({ typeUrl: endpoints, responseNonce: nonce, errorDetail });
    await settled(4);
    assert.deepEqual(
      rejections.map(({ client: { node, peer }, names, message }) => [node.id, peer !== "", names, message]),
      [["tester", true, ["a"], "bad port"]],
    );
    assert.deepEqual(
      [...ads.clientStatuses()][0]?.resources.map(({ state, message }) => [state, message]),
      [["rejected", "bad port"]],
    );
    assert.equal(client.unread, 0);
    cache.updateSnapshot("", { upserts: [edsOf("a", 11)] });
    assert.deepEqual(namesOf(await client.accept()), ["a"]);
    await settled(5);
    assert.equal([...ads.clientStatuses()][0]?.resources[0]?.state, "acked");
  });

  test("while a client has not answered, changes collect to the newest, and what is undone is not sent", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 1)]);
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a", "b"] });
    const first = await client.next();
    for (let i = 2; i < 100; i++) cache.updateSnapshot("", { upserts: [edsOf("a", i), edsOf("b", i)] });
    cache.updateSnapshot("", { upserts: [edsOf("b", 1)] });
    await settled(1);
    assert.equal(client.unread, 0);
    client.send({ typeUrl: endpoints, responseNonce: first.nonce });
    const next = await client.accept();
    assert.deepEqual(
      next.resources.map(({ name, version }) => [name, version]),
      [["a", edsOf("a", 99).version]],
    );
    await settled(3);
    assert.equal(client.unread, 0);
  });

  test("a large set goes in several responses", async () => {
    await start({ limits: { maxResponseBytes: 500 } });
    cache.setSnapshot(
      "",
      Array.from({ length: 20 }, (_, i) => edsOf(`e${i}`, 1000 + i)),
    );
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["*"] });
    const names = new Set<string>();
    let responses = 0;
    while (names.size < 20) {
      for (const name of namesOf(await client.accept())) names.add(name);
      responses += 1;
    }
    assert.ok(responses > 3, `${responses} responses`);
  });
});

describe("state of the world", () => {
  test("listeners and clusters come whole, routes and endpoints as they change", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2), sampleCluster("a"), sampleCluster("b")]);
    const client = openState();
    client.send({ typeUrl: cluster });
    const first = await client.accept();
    assert.equal(first.resources.length, 2);
    assert.equal(first.versionInfo, cache.snapshot("")?.version(cluster));
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"] });
    assert.equal((await client.accept({ resourceNames: ["a", "b"] })).resources.length, 2);
    cache.updateSnapshot("", { upserts: [edsOf("b", 22)] });
    const changed = await client.accept({ resourceNames: ["a", "b"] });
    assert.equal(changed.resources.length, 1);
    cache.setSnapshot("", [edsOf("a", 1), sampleCluster("a")]);
    const removed = await client.accept();
    assert.deepEqual([kindOf(removed), removed.resources.length], ["cluster", 1]);
  });

  test("a client that names clusters gets these, learns that one is missing, and may come to want none", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2), sampleCluster("a"), sampleCluster("b")]);
    const client = openState();
    client.send({ typeUrl: cluster, resourceNames: ["none"] });
    const { nonce, resources } = await client.next();
    assert.equal(resources.length, 0);
    client.send({ typeUrl: cluster, resourceNames: ["none", "a"], responseNonce: nonce });
    const { nonce: second, resources: named } = await client.next();
    assert.equal(named.length, 1);
    client.send({ typeUrl: cluster, resourceNames: [], responseNonce: second });
    cache.updateSnapshot("", { upserts: [sampleCluster("a", 7)] });
    await settled(3);
    assert.equal(client.unread, 0);
  });

  test("a client that accepts all clusters has rejected none, whichever it rejected before", async () => {
    await start();
    const set = (a: number, b: number) => {
      const ofEndpoints = [edsOf("a", 1), edsOf("b", 1)];
      cache.setSnapshot("", [sampleCluster("a", a), sampleCluster("b", b), ...ofEndpoints]);
    };
    const statesOf = () => [...ads.clientStatuses()][0]?.resources.map(({ name, state }) => `${name} ${state}`);
    set(1, 1);
    const client = openState();
    client.send({ typeUrl: cluster });
    await client.accept();
    const errorDetail = { code: 3, message: "a is wrong", details: [] };
    set(2, 1);
    await client.accept({ errorDetail });
    set(2, 2);
    await client.accept({ errorDetail });
    await settled(4);
    assert.deepEqual(statesOf(), ["a rejected", "b rejected"], "b came with a");
    set(3, 2);
    await client.accept();
    await settled(5);
    assert.deepEqual(statesOf(), ["a acked", "b acked"]);
  });

  test("a request with a stale nonce is ignored", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2)]);
    const client = openState();
    client.send({ typeUrl: endpoints, resourceNames: ["a"] });
    const { nonce } = await client.next();
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"] });
    client.send({ typeUrl: endpoints, resourceNames: ["b"], responseNonce: "77" });
    await settled(3);
    assert.equal(client.unread, 0);
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"], responseNonce: nonce });
    assert.equal((await client.next()).resources.length, 1);
  });

  test("a name that a client has left, and asks for again, is sent again, though its request without the name was stale", async () => {
    await start();
    cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 2)]);
    const client = openState();
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"] });
    const { nonce } = await client.accept({ resourceNames: ["a", "b"] });
    cache.updateSnapshot("", { upserts: [edsOf("a", 11)] });
    const last = await client.next();
    // Both are sent before the client has seen the last response.
    client.send({ typeUrl: endpoints, resourceNames: ["a"], responseNonce: nonce });
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"], responseNonce: nonce });
    await settled(4);
    assert.equal(client.unread, 0, "a stale request has no answer");
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"], responseNonce: last.nonce });
    const again = await client.accept({ resourceNames: ["a", "b"] });
    const versions = again.resources.map(({ value }) => createResource(endpoints, "", value).version);
    assert.deepEqual(versions, [edsOf("b", 2).version]);
  });
});

test("what the cache does not know yet is not answered by either protocol, until it does", async () => {
  await start();
  const pending = ["a", "b", "c"].map((name) => ({ typeUrl: endpoints, name }));
  cache.setSnapshot("", [edsOf("d", 4)], { pending });
  const known = openDelta();
  known.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a", "d"] });
  const first = await known.accept();
  assert.deepEqual([namesOf(first), first.removedResources], [["d"], []]);
  const [resuming, state] = [openDelta(), openState()];
  const resourceNamesSubscribe = ["a", "b", "c"];
  const initialResourceVersions = { a: edsOf("a", 1).version, b: edsOf("b", 2).version };
  resuming.send({ typeUrl: endpoints, resourceNamesSubscribe, initialResourceVersions });
  state.send({ typeUrl: endpoints, resourceNames: resourceNamesSubscribe });
  await settled(4);
  assert.deepEqual([resuming.unread, state.unread], [0, 0]);
  assert.equal(clock.sleeping, 0, "what is not known holds nothing");
  assert.deepEqual(
    [...ads.clientStatuses()][1]?.resources.map((each) => each.state),
    ["pending", "pending", "pending"],
  );
  cache.setSnapshot("", [edsOf("a", 1), edsOf("b", 22), edsOf("d", 4)]);
  const answer = await resuming.accept();
  assert.deepEqual([namesOf(answer), answer.removedResources], [["b"], ["c"]], "a is what the client has");
  assert.equal((await state.accept()).resources.length, 2);
  assert.deepEqual(namesOf(await known.accept()), ["a"]);
});

describe("make before break", () => {
  const before = () => [
    sampleListener("l", { route: "r" }),
    sampleRoute("r", { a: 1 }),
    sampleCluster("a"),
    edsOf("a", 1),
  ];
  const next = () => [
    sampleListener("l", { route: "r" }),
    sampleRoute("r", { b: 1 }),
    sampleCluster("b"),
    edsOf("b", 2),
  ];

  test("delta: the new cluster and its endpoints, then the route, then the removals", async () => {
    await start();
    cache.setSnapshot("", before());
    const client = openDelta();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await client.accept();
    client.send({ typeUrl: listener });
    await client.accept();
    client.send({ typeUrl: route, resourceNamesSubscribe: ["r"] });
    await client.accept();

    cache.setSnapshot("", next());
    const added = await client.accept();
    assert.deepEqual([kindOf(added), namesOf(added), added.removedResources], ["cluster", ["b"], []]);
    await settled(9);
    assert.equal(client.unread, 0, "the route waits for the endpoints of b");
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["b"] });
    const warm = await client.next();
    assert.deepEqual([kindOf(warm), namesOf(warm)], ["endpoints", ["b"]]);
    await settled(10);
    assert.equal(client.unread, 0, "the route waits until the endpoints are accepted");
    client.send({ typeUrl: endpoints, responseNonce: warm.nonce });
    const switched = await client.accept();
    assert.deepEqual([kindOf(switched), namesOf(switched)], ["route", ["r"]]);
    const gone = await client.accept();
    assert.deepEqual([kindOf(gone), gone.removedResources], ["cluster", ["a"]]);
    const goneToo = await client.accept();
    assert.deepEqual([kindOf(goneToo), goneToo.removedResources], ["endpoints", ["a"]]);
  });

  test("state of the world: clusters come with the old ones, until the route has changed", async () => {
    await start();
    cache.setSnapshot("", before());
    const client = openState();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: endpoints, resourceNames: ["a"] });
    await client.accept({ resourceNames: ["a"] });
    client.send({ typeUrl: route, resourceNames: ["r"] });
    await client.accept({ resourceNames: ["r"] });

    cache.setSnapshot("", next());
    const both = await client.accept();
    assert.deepEqual([kindOf(both), both.resources.length], ["cluster", 2]);
    const known = client.responses.findLast(({ typeUrl }) => typeUrl === endpoints);
    client.send({ typeUrl: endpoints, resourceNames: ["a", "b"], responseNonce: known?.nonce ?? "" });
    assert.equal(kindOf(await client.accept({ resourceNames: ["a", "b"] })), "endpoints");
    assert.equal(kindOf(await client.accept({ resourceNames: ["r"] })), "route");
    const one = await client.accept();
    assert.deepEqual([kindOf(one), one.resources.length], ["cluster", 1]);
  });

  test("a client that does not ask for the new endpoints gets the route after the limit", async () => {
    await start({ orderTimeoutMs: 500 });
    cache.setSnapshot("", before());
    const client = openDelta();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: route, resourceNamesSubscribe: ["r"] });
    await client.accept();
    cache.setSnapshot("", next());
    assert.deepEqual(namesOf(await client.accept()), ["b"]);
    await settled(5);
    await until(() => clock.sleeping === 1, "the limit runs");
    clock.advance(500);
    assert.equal(kindOf(await client.accept()), "route");
    assert.deepEqual((await client.accept()).removedResources, ["a"]);
  });

  test("a client that does not answer to a route gets the removals after one limit", async () => {
    await start({ orderTimeoutMs: 500 });
    cache.setSnapshot("", [...before(), sampleCluster("b"), edsOf("b", 2)]);
    const client = openDelta();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: route, resourceNamesSubscribe: ["r"] });
    await client.accept();
    cache.setSnapshot("", next());
    assert.equal(kindOf(await client.next()), "route");
    await settled(4);
    assert.equal(client.unread, 0, "the removal waits");
    clock.advance(500);
    assert.deepEqual((await client.next()).removedResources, ["a"]);
  });

  test("state of the world: a listener that has to wait comes as it was, if another one is requested", async () => {
    await start();
    const other = sampleListener("other", { route: "r" });
    cache.setSnapshot("", [...before(), other]);
    const client = openState();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: listener, resourceNames: ["l"] });
    const { nonce } = await client.accept({ resourceNames: ["l"] });
    const changed = sampleListener("l", { route: "r2" });
    const added = [changed, sampleRoute("r2", { b: 1 }), sampleCluster("b"), edsOf("b", 2)];
    cache.updateSnapshot("", { upserts: added });
    assert.equal(kindOf(await client.accept()), "cluster");
    client.send({ typeUrl: listener, resourceNames: ["l", "other"], responseNonce: nonce });
    const bytesOf = ({ resources }: DiscoveryResponse) => resources.map(({ value }) => value.toString("hex")).sort();
    const inResponse = (...resources: Resource[]) =>
      bytesOf(DiscoveryResponse.decode(Buffer.concat(resources.map(({ stateField }) => stateField))));
    const early = await client.accept({ resourceNames: ["l", "other"] });
    assert.deepEqual(bytesOf(early), inResponse(other, sampleListener("l", { route: "r" })));
    client.send({ typeUrl: endpoints, resourceNames: ["b"] });
    await client.accept({ resourceNames: ["b"] });
    assert.deepEqual(bytesOf(await client.accept()), inResponse(other, changed));
  });

  test("a cluster that changes brings its endpoints again, because Envoy waits for them", async () => {
    await start();
    cache.setSnapshot("", before());
    const client = openDelta();
    client.send({ typeUrl: cluster });
    await client.accept();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await client.accept();
    cache.updateSnapshot("", { upserts: [sampleCluster("a", 9)] });
    assert.equal(kindOf(await client.accept()), "cluster");
    const again = await client.accept();
    assert.deepEqual([kindOf(again), namesOf(again)], ["endpoints", ["a"]]);
  });
});

describe("streams", () => {
  test("each client gets the resources of its group, also if they come later", async () => {
    await start({ groupOf: ({ cluster: group }) => group });
    const client = openDelta();
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    cache.setSnapshot("other", [edsOf("a", 1)]);
    await settled(1);
    assert.equal(client.unread, 0);
    cache.setSnapshot("tests", [edsOf("a", 2)]);
    assert.equal((await client.accept()).resources[0]?.version, edsOf("a", 2).version);
    assert.equal(ads.clients()[0]?.group, "tests");
  });

  test("limits end the stream of the client that exceeds them, and no other", async () => {
    await start({ limits: { maxSubscriptions: 3, maxTypes: 2, maxStreams: 5 } });
    cache.setSnapshot("", [edsOf("a", 1)]);
    const good = openDelta();
    good.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await good.accept();
    const [names, types, nameless, long] = [openDelta(), openState(), openDelta(), openDelta()];
    names.send({ typeUrl: endpoints, resourceNamesSubscribe: ["1", "2", "3", "4"] });
    for (const type of ["a", "b", "c"]) types.send({ typeUrl: type, resourceNames: ["x"] });
    nameless.send({ typeUrl: endpoints, node: undefined });
    long.send({ typeUrl: endpoints, resourceNamesSubscribe: ["x".repeat(5000)] });
    const errorOf = async (client: typeof names | typeof types) => {
      await until(() => client.error !== undefined, "the stream ends");
      return `${status[client.error?.code ?? 0]}: ${client.error?.details}`;
    };
    assert.equal(await errorOf(names), "RESOURCE_EXHAUSTED: the stream subscribes to 4 names, and at most 3 are taken");
    assert.equal(
      await errorOf(long),
      "RESOURCE_EXHAUSTED: the name of a resource has 5000 characters, and at most 4096 are taken",
    );
    assert.equal(await errorOf(types), "RESOURCE_EXHAUSTED: a stream may subscribe to at most 2 types");
    assert.equal(await errorOf(nameless), "INVALID_ARGUMENT: the first request has no node");
    for (let i = 0; i < 4; i++) openDelta().send({ typeUrl: endpoints });
    await until(() => ads.stats().streams === 5, "5 streams");
    assert.equal(await errorOf(openDelta()), "RESOURCE_EXHAUSTED: the control plane serves at most 5 streams of ADS");
    cache.updateSnapshot("", { upserts: [edsOf("a", 2)] });
    assert.deepEqual(namesOf(await good.accept()), ["a"]);
  });

  test("of a client is kept who it is, and not what else it says of itself; texts and names have a bounded size", async () => {
    const groups: unknown[] = [];
    const groupOf: AdsServerOptions["groupOf"] = ({ metadata }) => {
      groups.push(metadata);
      return "";
    };
    await start({ groupOf, limits: { maxNameCharacters: 10 } });
    cache.setSnapshot("", [edsOf("a", 1)]);
    const locality = { region: "r", zone: "z", subZone: "s" };
    const node = { id: "n", cluster: "c", locality, userAgentName: "u", metadata: { big: "x".repeat(10_000) } };
    const client = openDelta();
    client.send({ typeUrl: endpoints, node: Node.fromPartial(node), resourceNamesSubscribe: ["a"] });
    await client.accept();
    const { metadata, ...kept } = node;
    assert.deepEqual([ads.clients()[0]?.node, groups], [kept, [metadata]]);

    const [long, names] = [openDelta(), openState()];
    long.send({ typeUrl: endpoints, node: Node.fromPartial({ id: "x".repeat(2_000) }) });
    await until(() => long.error !== undefined, "the long one ends");
    assert.equal(long.error?.details, "the node is not valid: id has 2000 characters, and at most 1024 are taken");
    names.send({ typeUrl: endpoints, resourceNames: ["12345", "67890"] });
    names.send({ typeUrl: route, resourceNames: ["r"] });
    const all = "the names of the stream have 11 characters in all, and at most 10 are taken";
    await until(() => names.error !== undefined, "the one with many names ends");
    assert.equal(names.error?.details, all);
    const resuming = openDelta();
    const initialResourceVersions = { "12345": "1", "678901": "1" };
    resuming.send({ typeUrl: endpoints, resourceNamesSubscribe: ["12345"], initialResourceVersions });
    await until(
      () => resuming.error !== undefined,
      "what a client has from before counts, also if it does not ask for it",
    );
    assert.equal(resuming.error?.details, all);
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["123456789"] });
    client.send({ typeUrl: endpoints, resourceNamesUnsubscribe: ["123456789"] });
    client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["987654321"] });
    await client.accept();
    assert.equal(client.error, undefined, "names that are given back no longer count");
  });

  test("one host cannot take the streams of all", async () => {
    const refused: string[] = [];
    await start({ limits: { maxStreamsPerHost: 2 }, onRefused: (reason, peer) => refused.push(`${peer}: ${reason}`) });
    const [first, second] = [openDelta(), openDelta()];
    await until(() => ads.stats().streams === 2, "two streams");
    const third = openDelta();
    await until(() => third.error !== undefined, "the third one is refused");
    const limit = "the control plane serves at most 2 streams of ADS to one host, and 127.0.0.1 has them";
    assert.deepEqual([third.error?.code, third.error?.details], [status.RESOURCE_EXHAUSTED, limit]);
    assert.match(refused.join(), new RegExp(`^127\\.0\\.0\\.1:\\d+: ${limit}$`));
    first.close();
    await until(() => ads.stats().streams === 1, "the first one ends");
    const fourth = openDelta();
    fourth.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await settled(1);
    assert.deepEqual([second.error, fourth.error], [undefined, undefined]);
  });

  test("a client that sends nothing is ended; so are all when the server closes", async () => {
    const refused: string[] = [];
    await start({ onRefused: (reason) => refused.push(reason) });
    const silent = openDelta();
    const good = openDelta();
    good.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await settled(1);
    await until(() => ads.stats().streams === 2, "2 streams");
    clock.advance(10_000);
    await until(() => silent.error !== undefined, "the silent one ends");
    assert.equal(silent.error?.code, status.DEADLINE_EXCEEDED);
    ads.close();
    await until(() => good.error !== undefined, "the good one ends");
    assert.deepEqual([good.error?.code, ended], [status.UNAVAILABLE, ["the control plane is shutting down"]]);
    const late = openDelta();
    await until(() => late.error !== undefined, "a new one is refused");
    assert.equal(late.error?.code, status.UNAVAILABLE);
    assert.deepEqual([refused, ads.stats().refusals], [["no request came in 10000 ms"], 1]);
  });

  test("each end of a stream has a reason", async () => {
    await start();
    const [polite, gone] = [openDelta(), openDelta()];
    for (const client of [polite, gone]) client.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await settled(2);
    polite.end();
    await until(() => ended.length === 1, "the first one ends");
    gone.close();
    await until(() => ended.length === 2, "the second one ends");
    const reason = "the client ended the stream, or its connection was lost";
    assert.deepEqual(ended, [reason, reason]);
  });

  test("the same response to many clients is encoded once; on one stream a nonce means one response", async () => {
    const encoder = new ResponseEncoder(delta, "");
    const draftOf = (...resources: Resource[]) => ({ resources, removed: ["x"], changed: new Map() });
    const [a, b] = [edsOf("a", 1), edsOf("b", 1)];
    const encode = (draft: ReturnType<typeof draftOf>, lastNonce = "", version = "v") =>
      encoder.encode(draft, endpoints, version, lastNonce);
    const first = encode(draftOf(a, b));
    assert.equal(encode(draftOf(a, b)).bytes, first.bytes);
    await turn();
    const later = encode(draftOf(a, b), first.nonce);
    assert.notEqual(later.bytes, first.bytes, "bytes are not kept");
    const others = [encode(draftOf(a, b), later.nonce), encode(draftOf(a)), encode(draftOf(a), "", "w")];
    assert.equal(new Set([first, later, ...others].map(({ nonce }) => nonce)).size, 5);
    assert.deepEqual(
      others.map(({ nonce, bytes }) => DeltaDiscoveryResponse.decode(bytes).nonce === nonce),
      [true, true, true],
    );
  });

  test("a client that does not read costs one response, and others nothing", async () => {
    await start();
    const big = (seed: number) => createResource("t.v1.Big", "big", Buffer.alloc(500_000, seed));
    cache.setSnapshot("", [big(0), edsOf("a", 1)]);
    const frozen = openDelta();
    frozen.setFrozen(true);
    frozen.send({ typeUrl: "t.v1.Big", resourceNamesSubscribe: ["big"] });
    const good = openDelta();
    good.send({ typeUrl: endpoints, resourceNamesSubscribe: ["a"] });
    await good.accept();
    await settled(3);
    const { responseBytes } = ads.stats();
    for (let i = 1; i <= 5; i++) {
      cache.updateSnapshot("", { upserts: [big(i), edsOf("a", i + 1)] });
      assert.deepEqual(namesOf(await good.accept()), ["a"]);
    }
    assert.ok(ads.stats().responseBytes - responseBytes < 2_000, "nothing is written for the frozen one");
    frozen.setFrozen(false);
    await frozen.accept();
    assert.equal((await frozen.next()).resources[0]?.version, big(5).version);
  });
});
