import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "@grpc-lb/protos/envoy/config/cluster/v3";
import { DeltaDiscoveryResponse, DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { sampleCluster, sampleEndpoints, sampleListener, sampleRoute } from "../../testing/sample-resources.ts";
import { typeUrls } from "../type-urls.ts";
import { createResource, type Resource } from "./resource.ts";
import { SnapshotCache } from "./snapshot-cache.ts";

const whole = (): Resource[] => [
  sampleListener("l", { route: "r" }),
  sampleRoute("r", { a: 1, b: 1 }),
  sampleCluster("a"),
  sampleCluster("b"),
  sampleEndpoints("a", [1]),
  sampleEndpoints("b", [2]),
];

test("a resource is encoded once, for both protocols", () => {
  const resource = sampleCluster("a");
  const state = DiscoveryResponse.decode(resource.stateField).resources[0];
  const delta = DeltaDiscoveryResponse.decode(resource.deltaField).resources[0];
  assert.ok(state && delta?.resource);
  assert.deepEqual([delta.name, delta.version], ["a", resource.version]);
  assert.deepEqual(delta.resource, state);
  assert.equal(state.typeUrl, typeUrls.cluster);
  assert.equal(Cluster.decode(state.value).name, "a");
});

test("the same content has the same version, other content another", () => {
  assert.equal(sampleCluster("a").version, sampleCluster("a").version);
  assert.notEqual(sampleCluster("a").version, sampleCluster("a", 6).version);
});

test("a set that is not consistent is not served, and the last good one stays", () => {
  const without = (name: string, typeUrl: string) =>
    whole().filter((one) => !(one.name === name && one.typeUrl === typeUrl));
  const table: [set: Resource[], error: string][] = [
    [without("r", typeUrls.route), 'listener "l" names route configuration "r", which is not there'],
    [without("b", typeUrls.cluster), 'route configuration "r" names cluster "b", which is not there'],
    [without("b", typeUrls.endpoints), 'cluster "b" names endpoints of "b", which is not there'],
    [[...whole(), sampleCluster("a", 9)], 'cluster "a" is given twice'],
    [[...whole(), createResource("t.v1.T", "", Buffer.alloc(0))], 'T "" has no name'],
  ];
  const fresh = new SnapshotCache();
  const cache = new SnapshotCache();
  cache.setSnapshot("g", whole());
  const version = cache.snapshot("g")?.version(typeUrls.cluster);
  for (const [set, error] of table) {
    assert.deepEqual(fresh.setSnapshot("g", set), { error });
    assert.deepEqual(cache.setSnapshot("g", set), { error });
    assert.equal(cache.snapshot("g")?.version(typeUrls.cluster), version);
  }
  assert.equal(fresh.snapshot("g"), undefined);
});

test("a change is checked by itself, as if the whole set were", () => {
  const cache = new SnapshotCache();
  cache.setSnapshot("", whole());
  const b = { typeUrl: typeUrls.cluster, name: "b" };
  const bEndpoints = { typeUrl: typeUrls.endpoints, name: "b" };
  const error = 'route configuration "r" names cluster "b", which is not there';
  assert.deepEqual(cache.updateSnapshot("", { removals: [b] }), { error });
  assert.deepEqual(cache.updateSnapshot("", { upserts: [sampleRoute("r", { c: 1 })] }), {
    error: 'route configuration "r" names cluster "c", which is not there',
  });
  const removals = [b, bEndpoints, { typeUrl: typeUrls.cluster, name: "never" }];
  assert.deepEqual(cache.updateSnapshot("", { upserts: [sampleRoute("r", { a: 1 })], removals }), { changed: 3 });
  assert.equal(cache.snapshot("")?.get(typeUrls.cluster, "b"), undefined);
});

test("endpoints that are not known yet may be named, and what there is of them stays", () => {
  const cache = new SnapshotCache();
  const pending = [{ typeUrl: typeUrls.endpoints, name: "a" }];
  const settled: number[] = [];
  const isPending = () => cache.snapshot("")?.isPending(typeUrls.endpoints, "a");
  assert.deepEqual(cache.setSnapshot("", [sampleCluster("a")], { pending }), { changed: 1 });
  assert.equal(isPending(), true);
  const error = 'cluster "a" names endpoints of "a", which is not there';
  assert.deepEqual(cache.setSnapshot("", [sampleCluster("a")]), { error });
  assert.deepEqual(cache.updateSnapshot("", { removals: pending }), { error });
  assert.equal(isPending(), true, "an update that fails changes nothing");
  cache.watch("", (changes) => settled.push(changes.length));
  cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [1])] });
  assert.equal(isPending(), false);
  for (const resources of [[sampleCluster("a")], [sampleCluster("a"), sampleEndpoints("a", [1])]]) {
    assert.deepEqual(cache.setSnapshot("", resources, { pending }), { changed: 0 });
    assert.equal(cache.snapshot("")?.get(typeUrls.endpoints, "a")?.version, sampleEndpoints("a", [1]).version);
  }
  assert.deepEqual(cache.updateSnapshot("", { pending: [{ typeUrl: typeUrls.endpoints, name: "b" }] }), { changed: 0 });
  cache.updateSnapshot("", { removals: [{ typeUrl: typeUrls.endpoints, name: "b" }] });
  assert.deepEqual(settled, [1, 0], "listeners hear that b is no longer pending");
  assert.deepEqual(cache.updateSnapshot("", { pending: [{ typeUrl: typeUrls.cluster, name: "c" }] }), {
    error: 'cluster "c" is pending, which only resources that clients request by name can be',
  });
});

test("listeners hear what has changed and nothing else, also of a group without resources", () => {
  const cache = new SnapshotCache();
  const heard: string[][] = [];
  const unwatch = cache.watch("", (changes) =>
    heard.push(changes.map(({ name, current }) => `${current ? "+" : "-"}${name}`)),
  );
  cache.setSnapshot("", []);
  cache.setSnapshot("", [sampleEndpoints("a", [1]), sampleEndpoints("b", [2])]);
  cache.setSnapshot("", [sampleEndpoints("a", [1]), sampleEndpoints("b", [3])]);
  cache.setSnapshot("", [sampleEndpoints("a", [1]), sampleEndpoints("b", [3])]);
  cache.setSnapshot("", [sampleEndpoints("b", [3])]);
  unwatch();
  cache.setSnapshot("", []);
  assert.deepEqual(heard, [[], ["+a", "+b"], ["+b"], ["-a"]]);
});

test("the version of a type depends on its resources, not on how they came", () => {
  const [one, other] = [new SnapshotCache(), new SnapshotCache()];
  one.setSnapshot("", whole());
  other.setSnapshot("", [sampleEndpoints("x", [1])]);
  other.setSnapshot("", whole().reverse());
  for (const typeUrl of Object.values(typeUrls)) {
    assert.equal(one.snapshot("")?.version(typeUrl), other.snapshot("")?.version(typeUrl));
  }
});
