import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom, systemClock } from "@grpc-lb/core";
import { judge } from "@grpc-lb/verdict";
import { endpoint, FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { call, failure, Rig } from "../../../testing/rig.ts";
import { readEndpointInfo } from "../../balancer/endpoint-info.ts";
import { connectivityState, type GrpcEndpoint, parsePolicy } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";
import { registerType } from "../../registration/register-type.ts";
import { createSubset, selectSubset } from "./subset.ts";

const random = createRandom(5);
let reads = 0;
registerPoliciesIn({ random, ...noWaits });
registerType(
  createSubset(() => `own-key-${++reads}`),
  { clock: systemClock, random, ...noWaits },
);

const metadata = new Metadata();
const addressOf = (index: number) => `10.0.0.${index}:80`;
const make = (count: number) => Array.from({ length: count }, (_, index) => endpoint(addressOf(index)));
const idsOf = (endpoints: readonly GrpcEndpoint[]) => endpoints.map((each) => readEndpointInfo(each).id);
const held = (channel: FakeChannel) =>
  [...channel.subchannels.values()].filter(({ refs }) => refs > 0).map(({ address }) => address);

test("a subset has subsetSize endpoints, unchanged and in the resolver's order", () => {
  const endpoints = make(20);
  const chosen = selectSubset(endpoints, { subsetSize: 6, clientKey: "a" });
  assert.equal(chosen.length, 6);
  assert.deepEqual(
    chosen,
    endpoints.filter((each) => chosen.includes(each)),
  );
  const reversed = selectSubset([...endpoints].reverse(), { subsetSize: 6, clientKey: "a" });
  assert.deepEqual(idsOf(reversed), idsOf(chosen).reverse());
});

test("a subset of at least all endpoints is all endpoints", () => {
  for (const count of [0, 1, 5, 6]) {
    const endpoints = make(count);
    assert.deepEqual(selectSubset(endpoints, { subsetSize: 6, clientKey: "a" }), endpoints);
  }
});

test("one endpoint that comes, goes or is replaced changes at most one place", () => {
  const many = make(30);
  for (let client = 0; client < 50; client++) {
    const config = { subsetSize: 7, clientKey: `client-${client}` };
    const before = new Set(idsOf(selectSubset(many, config)));
    const gone = many.filter((_, index) => index !== client % 30);
    const changes = [gone, [...many, endpoint("10.0.1.1:80")], [...gone, endpoint("10.0.1.2:80")]];
    for (const [index, change] of changes.entries()) {
      const news = idsOf(selectSubset(change, config)).filter((id) => !before.has(id));
      const most = index === 2 ? 2 : 1; // a replacement is one that goes and one that comes
      assert.ok(news.length <= most, `client ${client}, change ${index}: ${news.join(", ")}`);
    }
  }
});

test("a smaller subset is part of a larger one", () => {
  const many = make(30);
  const small = idsOf(selectSubset(many, { subsetSize: 4, clientKey: "a" }));
  const large = idsOf(selectSubset(many, { subsetSize: 9, clientKey: "a" }));
  assert.deepEqual(
    small.filter((id) => !large.includes(id)),
    [],
  );
});

test("clients spread evenly over the endpoints", () => {
  const many = make(20);
  const taken: string[] = [];
  for (let client = 0; client < 2_000; client++) {
    taken.push(...idsOf(selectSubset(many, { subsetSize: 5, clientKey: `pod-${client}` })));
  }
  const verdict = judge(taken, idsOf(many), "random");
  assert.equal(verdict.word, "BALANCED", JSON.stringify([...verdict.perPod]));
});

test("endpoints with the same id count as one, and those without an address do not count", () => {
  const twice = [endpoint("10.0.0.1:80", { id: "a" }), endpoint("[fd00::1]:80", { id: "a" })];
  const others = [endpoint("10.0.0.2:80", { id: "b" }), endpoint("10.0.0.3:80", { id: "c" })];
  const empty = { addresses: [] };
  const sizes = new Set<number>();
  for (let client = 0; client < 20; client++) {
    const chosen = selectSubset([...twice, empty, ...others], { subsetSize: 2, clientKey: `${client}` });
    assert.equal(new Set(idsOf(chosen)).size, 2);
    assert.ok(!chosen.includes(empty));
    sizes.add(chosen.length);
  }
  assert.deepEqual([...sizes].sort(), [2, 3]);
});

test("connects to the subset only, and keeps its connections through updates and other sizes", () => {
  const channel = new FakeChannel({
    subset: { subsetSize: 3, clientKey: "a", childPolicy: [{ least_request: {} }] },
  });
  const many = make(10);
  channel.update(many);
  channel.connect();
  const first = held(channel);
  assert.equal(first.length, 3);
  assert.equal(channel.state, connectivityState.READY);

  const goes = many.find((each) => readEndpointInfo(each).address === first[0]);
  channel.update(many.filter((each) => each !== goes));
  const second = held(channel);
  assert.equal(second.length, 3);
  assert.deepEqual(
    second.filter((address) => first.includes(address)).length,
    2,
    `had ${first.join(", ")}, has ${second.join(", ")}`,
  );
  assert.equal(channel.state, connectivityState.READY);

  const published = channel.published.length;
  channel.update(many, { subset: { subsetSize: 5, clientKey: "a", childPolicy: [{ least_request: {} }] } });
  assert.equal(held(channel).length, 5);
  for (const address of first.slice(1)) assert.ok(held(channel).includes(address), address);
  const states = channel.published.slice(published).map(({ state }) => state);
  assert.ok(
    states.every((state) => state === connectivityState.READY),
    states.join(", "),
  );
  assert.ok(channel.pick(metadata));
  channel.balancer.destroy();
  assert.deepEqual(held(channel), []);
});

test("an error of the resolver keeps the subset; without one, calls fail with its message", () => {
  const channel = new FakeChannel({ subset: { subsetSize: 2 } });
  channel.fail("no such service");
  assert.equal(channel.state, connectivityState.TRANSIENT_FAILURE);
  assert.equal(channel.message, "no such service");
  channel.update(make(5));
  channel.connect();
  const had = held(channel);
  channel.fail("the API server is away");
  assert.equal(channel.state, connectivityState.READY);
  assert.deepEqual(held(channel), had);
  channel.balancer.destroy();
  assert.deepEqual(held(channel), []);
});

const children = {
  "the default child": {},
  least_request: { childPolicy: [{ least_request: {} }] },
  pick_first: { childPolicy: [{ pick_first: {} }] },
  "a subset in it": { childPolicy: [{ subset: { subsetSize: 1, clientKey: "b" } }] },
  "a locality in it": { childPolicy: [{ locality: { zone: "a" } }] },
};

for (const [what, child] of Object.entries(children)) {
  test(`an empty list fails calls at once with the resolver's note, and the next one is used: ${what}`, () => {
    const channel = new FakeChannel({ subset: { subsetSize: 2, ...child } });
    const assertEmpty = (want: string | RegExp) => {
      assert.equal(connectivityState[channel.state ?? -1], "TRANSIENT_FAILURE");
      assert.match(channel.refusal(metadata) ?? "a call that waits", new RegExp(want));
      assert.deepEqual(held(channel), []);
    };
    assert.equal(channel.update([], undefined, {}, "there is no service web"), true, "otherwise calls hang");
    assertEmpty("^there is no service web$");
    channel.update([{ addresses: [] }]);
    assertEmpty("^subset: the resolver has found no endpoint$");
    channel.fail("and now the resolver is gone");
    assertEmpty("^and now the resolver is gone$");
    channel.update(make(3));
    channel.connect();
    const address = channel.pick(metadata)?.address ?? "";
    assert.ok(held(channel).includes(address), `a call goes to "${address}"`);
    let published = 0;
    const { unref } = channel.at(address);
    channel.at(address).unref = () => {
      published ||= channel.published.length;
      unref();
    };
    const before = channel.published.length;
    channel.update([], undefined, {}, "scaled to zero");
    assert.ok(published > before, "the new picker is there before the first connection goes");
    assertEmpty("^scaled to zero$");
    channel.update(make(4).slice(3));
    channel.connect();
    assert.equal(channel.pick(metadata)?.address, addressOf(3));
    channel.balancer.destroy();
    assert.deepEqual(held(channel), []);
  });
}

test("real servers: calls fail at once while the list is empty, with the default children", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.publish([], { note: "server is scaled to zero" });
  const policies = [
    { subset: { subsetSize: 2 } },
    { locality: { zone: "a" } },
    { subset: { subsetSize: 2, childPolicy: [{ locality: {} }] } },
    { locality: { childPolicy: [{ subset: { subsetSize: 2 } }] } },
  ];
  const clients = policies.map((policy) => rig.client(policy));
  const want = clients.map(() => "UNAVAILABLE: server is scaled to zero");
  assert.deepEqual(await Promise.all(clients.map((client) => failure(client))), want);
  rig.publish([a]);
  assert.deepEqual(
    await Promise.all(clients.map((client) => call(client))),
    clients.map(() => "a"),
  );
  rig.publish([], { note: "server is scaled to zero" });
  assert.deepEqual(await Promise.all(clients.map((client) => failure(client))), want);
});

test("an idle child connects when the channel is asked to connect", async () => {
  const channel = new FakeChannel({ subset: { subsetSize: 1, clientKey: "a", childPolicy: [{ pick_first: {} }] } });
  channel.update(make(3));
  channel.connect();
  const [address] = held(channel) as [string];
  channel.at(address).become(connectivityState.IDLE);
  assert.equal(channel.state, connectivityState.IDLE);
  channel.balancer.exitIdle();
  assert.equal(channel.state, connectivityState.CONNECTING);
  channel.connect(address);
  assert.equal(channel.pick(metadata)?.address, address);
  channel.balancer.destroy();
  assert.deepEqual(held(channel), []);
});

test("the client's own key is read once, and only for a configuration without a key", () => {
  reads = 0;
  const type = createSubset(() => `key-${++reads}`);
  assert.equal(reads, 0);
  registerType({ ...type, name: "subset_reads" }, { clock: systemClock, random, ...noWaits });
  parsePolicy({ subset_reads: { subsetSize: 1, clientKey: "mine" } });
  assert.equal(reads, 0);
  parsePolicy({ subset_reads: { subsetSize: 1 } });
  parsePolicy({ subset_reads: { subsetSize: 2 } });
  assert.equal(reads, 1);
});

test("errors name the wrong field", () => {
  const table: [object, RegExp][] = [
    [{}, /subsetSize must be an integer >= 1, got nothing/],
    [{ subsetSize: 0 }, /subsetSize must be an integer >= 1, got 0/],
    [{ subsetSize: 1.5 }, /subsetSize must be an integer >= 1, got 1.5/],
    [{ subsetSize: "x" }, /subsetSize must be an integer >= 1, got "x"/],
    [{ subsetSize: 3, clientKey: "" }, /clientKey must be a non-empty string, got ""/],
    [{ subsetSize: 3, childPolicy: [] }, /childPolicy must be a list/],
    [{ subsetSize: 3, childPolicy: [{ none_such: {} }] }, /childPolicy must name a registered policy/],
    [{ subsetSize: 3, childPolicy: [{ least_request: { choiceCount: 1 } }] }, /childPolicy: .*choiceCount must be/],
    [{ subsetSize: 3, size: 3 }, /unknown field size; known fields: childPolicy, clientKey, subsetSize/],
  ];
  for (const [json, want] of table) assert.throws(() => parsePolicy({ subset: json }), want, JSON.stringify(json));
});
