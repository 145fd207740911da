import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { SnapshotCache } from "@grpc-lb/xds/cache";
import { FakeSources } from "../../testing/fake-sources.ts";
import { readConfig } from "../config/read-config.ts";
import type { ClientKind } from "../resources/client-kind.ts";
import type { PublisherProblem } from "./problems.ts";
import { Publisher } from "./publisher.ts";

afterEach(assertNothingLeft);

const [a, b, c] = ["static:///10.0.0.1:1", "static:///10.0.0.1:2", "static:///10.0.0.1:3"] as const;
const envoy = "type.googleapis.com/envoy.config";
const endpointsType = `${envoy}.endpoint.v3.ClusterLoadAssignment`;

function createPublisher(minGapMs = 0) {
  const cache = new SnapshotCache();
  const clock = new ManualClock();
  const sources = new FakeSources();
  const problems: string[] = [];
  const onProblem = ({ t, services, reason }: PublisherProblem) => problems.push(`${t} of ${services}: ${reason}`);
  const solved: string[] = [];
  const onSolved = ({ t, services }: PublisherProblem) => solved.push(`${t} of ${services}`);
  const publisher = new Publisher({
    ...{ cache, clock, createSource: sources.create, syncTimeoutMs: 5_000, minGapMs, onProblem, onSolved },
  });
  const serve = (services: object) => publisher.setConfig(readConfig({ services }));
  /** The hosts that clients of a kind get; undefined if they get no answer. */
  const hostsOf = (name: string, kind: ClientKind = "grpc") => {
    const resource = cache.snapshot(kind)?.get(endpointsType, name);
    if (!resource) return undefined;
    const [any] = DiscoveryResponse.decode(resource.stateField).resources;
    return ClusterLoadAssignment.decode(any?.value ?? new Uint8Array())
      .endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)
      .map(({ hostIdentifier }) => hostIdentifier?.value.address?.address?.value.address)
      .join();
  };
  const names = (type: string, kind: ClientKind) =>
    [...(cache.snapshot(kind)?.all(`${envoy}.${type}`).keys() ?? [])].join();
  const started = (...targets: readonly string[]) =>
    until(() => targets.every((target) => sources.running.includes(target)), "the sources run");
  const close = async () => {
    await publisher.close();
    assert.deepEqual([sources.running, clock.sleeping], [[], 0]);
  };
  return { cache, clock, sources, problems, solved, publisher, serve, hostsOf, names, started, close };
}

test("nothing is served before every source has answered, and then all of it", async () => {
  const { cache, sources, publisher, serve, hostsOf, names, started, close } = createPublisher();
  serve({ one: { target: a, envoyPort: 80 }, two: { target: b }, both: { split: { one: 1, two: 1 } } });
  await started(a, b);
  sources.answer(a, "10.0.0.1");
  await turn();
  await turn();
  assert.deepEqual([cache.snapshot("grpc"), publisher.waitingFor()], [undefined, [{ target: b, services: ["two"] }]]);
  sources.answer(b);
  await publisher.published;
  assert.deepEqual([hostsOf("one"), hostsOf("two"), hostsOf("one", "envoy")], ["10.0.0.1", "", "10.0.0.1"]);
  assert.equal(names("listener.v3.Listener", "grpc"), "one,two,both");
  assert.equal(names("listener.v3.Listener", "envoy"), "one");
  assert.equal(names("cluster.v3.Cluster", "envoy"), "one,two");
  assert.deepEqual(
    publisher.status().map(({ name, endpoints }) => [name, endpoints]),
    [
      ["one", 1],
      ["two", 0],
    ],
  );
  await close();
});

test("a change of endpoints changes the endpoints of its service alone, and a failing source keeps them", async () => {
  const { cache, sources, problems, solved, publisher, serve, hostsOf, started, close } = createPublisher();
  serve({ one: { target: a }, two: { target: b } });
  await started(a, b);
  for (const target of [a, b]) sources.answer(target, "10.0.0.1");
  await publisher.published;
  const changes: string[] = [];
  const unwatch = cache.watch("grpc", (changed) => changes.push(...changed.map(({ name }) => name)));
  sources.answer(a, "10.0.0.1", "10.0.0.2");
  await until(() => hostsOf("one") === "10.0.0.1,10.0.0.2", "the new endpoint");
  sources.fail(a, "registry: ECONNREFUSED");
  sources.fail(a, "registry: ECONNREFUSED");
  await turn();
  await turn();
  assert.deepEqual(
    [hostsOf("one"), changes, problems],
    ["10.0.0.1,10.0.0.2", ["one"], ["source of one: registry: ECONNREFUSED"]],
  );
  assert.deepEqual([publisher.status()[0]?.hasError, solved], [true, []]);
  sources.answer(a, "10.0.0.1", "10.0.0.2");
  await until(() => solved.length > 0, "the end of the problem");
  assert.deepEqual([publisher.status()[0]?.hasError, solved], [false, ["source of one"]]);
  unwatch();
  await close();
});

test("a service of which a source has not answered is not answered for: neither an empty set nor a part", async () => {
  const { cache, clock, sources, problems, publisher, serve, hostsOf, names, started, close } = createPublisher();
  serve({ good: { target: a }, bad: { target: b }, half: { sources: [{ target: a }, { target: b }] } });
  await started(a, b);
  sources.answer(a, "10.0.0.1");
  await clock.asleep();
  clock.advance(5_000);
  await publisher.published;
  assert.deepEqual([hostsOf("good"), hostsOf("bad"), hostsOf("half")], ["10.0.0.1", undefined, undefined]);
  assert.deepEqual(problems, [`missing of bad,half: ${b}: no answer in 5s`]);
  assert.equal(names("cluster.v3.Cluster", "grpc"), "good,bad,half");
  const isPending = (name: string) => cache.snapshot("envoy")?.isPending(endpointsType, name);
  assert.deepEqual(["good", "bad", "half", "other"].map(isPending), [false, true, true, false]);
  sources.answer(b, "10.0.0.2");
  await until(() => hostsOf("bad") === "10.0.0.2", "the late answer");
  assert.deepEqual([hostsOf("half"), isPending("half")], ["10.0.0.1,10.0.0.2", false]);
  await close();
});

test("a priority whose source does not answer keeps back no other one for longer than the sync timeout", async () => {
  const { clock, sources, problems, solved, publisher, serve, hostsOf, started, close } = createPublisher();
  serve({ one: { sources: [{ target: a, priority: 1 }, { target: b }] } });
  await started(a, b);
  sources.answer(a, "10.0.0.1");
  clock.advance(4_999);
  await turn();
  await turn();
  assert.equal(hostsOf("one"), undefined);
  clock.advance(1);
  await publisher.published;
  assert.deepEqual([hostsOf("one"), problems], ["10.0.0.1", [`missing of one: ${b}: no answer in 5s`]]);
  assert.deepEqual(
    [publisher.waitingFor(), publisher.status()[0]?.hasError],
    [[{ target: b, services: ["one"] }], true],
  );
  // A service that is added later has the same time.
  serve({
    one: { sources: [{ target: a, priority: 1 }, { target: b }] },
    two: { sources: [{ target: a }, { target: c, priority: 1 }] },
  });
  await started(c);
  await turn(); // until the pause after the publication has begun
  await turn();
  assert.deepEqual([hostsOf("two"), problems.length], [undefined, 1]);
  clock.advance(5_000);
  await until(() => hostsOf("two") === "10.0.0.1", "the other priority");
  assert.equal(problems[1], `missing of two: ${c}: no answer in 5s`);
  // What was missing comes when it answers.
  sources.answer(b, "10.0.0.2");
  await until(() => hostsOf("one") === "10.0.0.2,10.0.0.1", "the late answer");
  assert.deepEqual([solved, problems.length], [["missing of one"], 2]);
  await close();
});

test("a service that takes up a target which fails is named, alone, and all of the target are named at the end", async () => {
  const { sources, problems, solved, serve, started, close } = createPublisher();
  serve({ one: { target: a } });
  await started(a);
  sources.fail(a, "registry: ECONNREFUSED");
  await until(() => problems.length === 1, "the error");
  serve({ one: { target: a }, two: { target: a } });
  serve({ one: { target: a }, two: { target: a } });
  serve({ one: { target: a } });
  serve({ one: { target: a }, two: { target: a } });
  const named = ["one", "two", "two"].map((name) => `missing of ${name}: registry: ECONNREFUSED`);
  assert.deepEqual([problems, solved], [named, []]);
  sources.answer(a, "10.0.0.1");
  await until(() => solved.length > 0, "the end of the problem");
  assert.deepEqual([problems.length, solved], [3, ["missing of one,two"]]);
  await close();
});

test("while an added source has not answered, the changes of the others are served, and nothing is taken away", async () => {
  const { sources, publisher, serve, hostsOf, started, close } = createPublisher();
  serve({ one: { sources: [{ target: a }, { target: b }] } });
  await started(a, b);
  sources.answer(a, "10.0.0.1");
  sources.answer(b, "10.0.0.2");
  await publisher.published;
  serve({ one: { sources: [{ target: a }, { target: c }] } });
  await started(c);
  sources.answer(a, "10.0.0.1", "10.0.0.4");
  await until(() => hostsOf("one") === "10.0.0.1,10.0.0.4,10.0.0.2", "the change");
  sources.answer(c, "10.0.0.3");
  await until(() => hostsOf("one") === "10.0.0.1,10.0.0.4,10.0.0.3", "the new source in place of the old one");
  await close();
});

test("changes that follow each other closely are one publication", async () => {
  const { cache, clock, sources, publisher, serve, hostsOf, started, close } = createPublisher(50);
  serve({ one: { target: a } });
  await started(a);
  sources.answer(a, "10.0.0.1");
  await publisher.published;
  let changes = 0;
  const unwatch = cache.watch("grpc", () => changes++);
  for (const host of ["10.0.0.2", "10.0.0.3"]) {
    sources.answer(a, host);
    await turn();
    await turn();
  }
  assert.deepEqual([hostsOf("one"), changes], ["10.0.0.1", 0]);
  await clock.asleep();
  clock.advance(50);
  await until(() => changes > 0, "the publication");
  assert.deepEqual([hostsOf("one"), changes], ["10.0.0.3", 1]);
  unwatch();
  await close();
});

test("a service that gets another source keeps its endpoints until that has answered; one that leaves is gone", async () => {
  const { cache, sources, publisher, serve, hostsOf, started, close } = createPublisher();
  serve({ one: { target: a }, two: { target: b } });
  await started(a, b);
  for (const target of [a, b]) sources.answer(target, "10.0.0.1");
  await publisher.published;
  serve({ one: { target: c } });
  await started(c);
  assert.deepEqual([hostsOf("one"), hostsOf("two")], ["10.0.0.1", undefined]);
  sources.answer(c, "10.0.0.3");
  await until(() => hostsOf("one") === "10.0.0.3", "the endpoints of the new source");
  await until(() => sources.running.length === 1, "the end of the other sources");
  assert.deepEqual([...(cache.snapshot("grpc")?.all(`${envoy}.cluster.v3.Cluster`).keys() ?? [])], ["one"]);
  await close();
});

test("a split changes the route and nothing else", async () => {
  const { cache, sources, publisher, serve, started, close } = createPublisher();
  const parts = { v1: { target: a }, v2: { target: b } };
  serve({ ...parts, server: { split: { v1: 90, v2: 10 } } });
  await started(a, b);
  for (const target of [a, b]) sources.answer(target, "10.0.0.1");
  await publisher.published;
  const changes: string[] = [];
  const unwatch = cache.watch("grpc", (changed) => changes.push(...changed.map(({ typeUrl }) => typeUrl)));
  serve({ ...parts, server: { split: { v1: 0, v2: 100 } } });
  await turn();
  assert.deepEqual(changes, [`${envoy}.route.v3.RouteConfiguration`]);
  unwatch();
  await close();
});

test("endpoints without an IP address are reported once, and the factors of steering are published", async () => {
  const { cache, sources, problems, solved, publisher, serve, hostsOf, started, close } = createPublisher();
  serve({ one: { target: a, steering: "orca" } });
  await started(a);
  sources.answer(a, "10.0.0.1", "10.0.0.2", "localhost");
  await publisher.published;
  const text =
    "endpoints of one: xDS clients take IP addresses only, and 1 of its endpoints has none, such as localhost:80";
  assert.deepEqual([hostsOf("one"), problems], ["10.0.0.1,10.0.0.2", [text]]);
  publisher.setFactors("one", new Map([["10.0.0.1:80", 0.5]]));
  const before = cache.snapshot("grpc")?.get(endpointsType, "one")?.version;
  await until(() => cache.snapshot("grpc")?.get(endpointsType, "one")?.version !== before, "the new weights");
  assert.equal(problems.length, 1);
  assert.deepEqual([publisher.endpointsOf("one").length, publisher.status()[0]?.endpoints], [3, 2]);
  sources.answer(a, "10.0.0.1", "10.0.0.2");
  await until(() => solved.length > 0, "the end of the problem");
  assert.deepEqual(solved, ["endpoints of one"]);
  await close();
});
