import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { judge } from "@grpc-lb/verdict";
import { endpoint, FakeChannel, type FakeSubchannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { connectivityState, type PolicyJson, parsePolicy } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";
import { registerType } from "../../registration/register-type.ts";
import { createSubset } from "../subset/subset.ts";
import { createLocality } from "./locality.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;
const random = createRandom(11);
const clock = new ManualClock();
registerPoliciesIn({ random, clock, ...noWaits });
registerType(
  createLocality(() => "a"),
  { random, clock, ...noWaits },
);
registerType(createSubset(), { random, clock, ...noWaits });

const metadata = new Metadata();
const locals = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"];
const remotes = ["10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80", "10.1.0.4:80"];
const inZone = (zone: string) => (address: string) => endpoint(address, { zone });
const both = [...locals.map(inZone("a")), ...remotes.map(inZone("b"))];
const policy = (fields: object = {}): PolicyJson => ({ locality: { childPolicy: [{ least_request: {} }], ...fields } });
const eager = policy({ keepRemoteConnected: true });

const held = (channel: FakeChannel) =>
  [...channel.subchannels.values()]
    .filter(({ refs }) => refs > 0)
    .map(({ address }) => address)
    .sort();

function pickMany(channel: FakeChannel, count: number): string[] {
  return Array.from({ length: count }, () => channel.pick(metadata)?.address ?? "none");
}

/** The share of the calls that goes to local endpoints. */
function localCalls(channel: FakeChannel, count = 2_000): number {
  return pickMany(channel, count).filter((address) => locals.includes(address)).length / count;
}

/** The connection breaks, and the server is gone. */
async function lose(channel: FakeChannel, ...addresses: readonly string[]): Promise<void> {
  for (const address of addresses) channel.at(address).become(IDLE);
  await tick();
  for (const address of addresses) channel.at(address).become(TRANSIENT_FAILURE, "connection refused");
}

/** A channel whose local endpoints are connected; the remote ones too when the policy connects to them. */
function connected(json = policy(), endpoints = both): FakeChannel {
  const channel = new FakeChannel(json);
  channel.update(endpoints);
  channel.connect();
  return channel;
}

function close(channel: FakeChannel): void {
  channel.balancer.destroy();
  assert.deepEqual(held(channel), [], "connections were not released");
  assert.equal(clock.sleeping, 0, "a timer is left");
}

test("calls go to the client's own zone, evenly, and no other endpoint is connected", () => {
  const channel = connected();
  assert.deepEqual(held(channel), locals);
  const calls = pickMany(channel, 1_000);
  assert.equal(judge(calls, locals, "random").word, "BALANCED");
  close(channel);
});

test("without a zone of its own it uses all endpoints equally", () => {
  registerType({ ...createLocality(() => ""), name: "locality_nowhere" }, { random, clock, ...noWaits });
  const channel = new FakeChannel({ locality_nowhere: { childPolicy: [{ least_request: {} }] } });
  channel.update(both);
  channel.connect();
  assert.equal(judge(pickMany(channel, 2_000), [...locals, ...remotes], "random").word, "BALANCED");
  close(channel);
});

test("the configuration's zone overrides the environment's", () => {
  const channel = connected(policy({ zone: "b" }));
  assert.deepEqual(held(channel), remotes);
  close(channel);
});

test("fewer local endpoints than minLocalEndpoints: all endpoints take calls", () => {
  const channel = connected(policy({ minLocalEndpoints: 5 }));
  assert.equal(judge(pickMany(channel, 2_000), [...locals, ...remotes], "random").word, "BALANCED");
  channel.update(both, policy({ minLocalEndpoints: 4 }));
  assert.equal(localCalls(channel), 1);
  close(channel);
});

for (const [name, json] of [
  ["eager", eager],
  ["lazy", policy()],
] as const) {
  test(`calls spill over as local endpoints fail, and return with them (${name})`, async () => {
    const channel = connected(json);
    const table: [number, number][] = [
      [1, 1],
      [2, 0.7],
      [3, 0.35],
      [4, 0],
    ];
    for (const [failed, want] of table) {
      await lose(channel, locals[failed - 1] as string);
      for (const address of held(channel)) if (remotes.includes(address)) channel.connect(address);
      const calls = pickMany(channel, 2_000);
      const got = calls.filter((address) => locals.includes(address)).length / calls.length;
      assert.ok(Math.abs(got - want) < 0.04, `${failed} of 4 failed: got ${got} of the calls local, want ${want}`);
      assert.ok(!calls.includes("none"));
      if (want < 1) {
        const spilled = calls.filter((address) => remotes.includes(address));
        assert.equal(judge(spilled, remotes, "random").word, "BALANCED");
      }
    }
    channel.connect(...locals);
    assert.equal(localCalls(channel), 1);
    close(channel);
  });
}

test("the random numbers decide between the local and a healthy remote group", async () => {
  registerType(
    { ...createLocality(() => "a"), name: "locality_loaded" },
    {
      clock,
      random: () => chance,
      ...noWaits,
    },
  );
  let chance = 0;
  const channel = connected({ locality_loaded: { childPolicy: [{ least_request: {} }], keepRemoteConnected: true } });
  await lose(channel, "10.0.0.1:80", "10.0.0.2:80");
  const goesLocal = () => locals.includes(channel.pick(metadata)?.address ?? "");
  for (const [next, want] of [
    [0, true],
    [0.699, true],
    [0.7, false],
    [0.999, false],
  ] as const) {
    chance = next;
    assert.equal(goesLocal(), want, `${next}`);
  }
  close(channel);
});

test("the next call is remote as soon as no local endpoint is READY, and local as soon as one is", async () => {
  const channel = connected(eager);
  for (const address of locals) channel.at(address).become(IDLE);
  assert.equal(localCalls(channel, 100), 0);
  assert.equal(channel.state, READY);
  await tick();
  channel.connect("10.0.0.2:80");
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("with no remote endpoint READY all calls stay local", async () => {
  const channel = connected(eager);
  await lose(channel, ...remotes, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
  assert.equal(channel.state, READY);
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("connects to remote endpoints at once when the last local connection is lost; calls wait, and do not fail", async () => {
  const channel = connected();
  for (const address of locals) channel.at(address).become(IDLE);
  assert.deepEqual(held(channel).filter((address) => remotes.includes(address)).length, 4);
  assert.equal(channel.state, CONNECTING);
  await tick();
  for (const address of locals) channel.at(address).become(TRANSIENT_FAILURE, "connection refused");
  assert.equal(channel.state, CONNECTING);
  channel.connect("10.1.0.1:80");
  assert.equal(channel.state, READY);
  assert.deepEqual(pickMany(channel, 10), Array(10).fill("10.1.0.1:80"));
  close(channel);
});

test("a start is not an outage: remote endpoints are connected only after the connect timeout", async () => {
  const channel = new FakeChannel(policy({ connectTimeout: "3s" }));
  channel.update(both);
  await tick();
  assert.equal(channel.state, CONNECTING);
  clock.advance(2_999);
  await tick();
  assert.deepEqual(held(channel), locals);
  clock.advance(1);
  await tick();
  assert.deepEqual(held(channel), [...locals, ...remotes]);
  channel.connect(...remotes);
  assert.equal(localCalls(channel, 100), 0);
  channel.connect(...locals);
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("an endpoint that hangs while it connects counts as unhealthy after the connect timeout", async () => {
  const channel = connected(policy({ connectTimeout: "3s" }));
  for (const address of locals.slice(0, 2)) channel.at(address).become(IDLE);
  await tick();
  assert.deepEqual(
    held(channel).filter((address) => remotes.includes(address)),
    [],
  );
  clock.advance(3_000);
  await tick();
  channel.connect(...remotes);
  const got = localCalls(channel);
  assert.ok(Math.abs(got - 0.7) < 0.04, `${got}`);
  close(channel);
});

test("an endpoint that the server disconnects and that comes back at once changes nothing", async () => {
  const channel = connected();
  for (const address of locals.slice(0, 2)) {
    channel.at(address).become(IDLE);
    await tick();
    channel.connect(address);
  }
  assert.deepEqual(held(channel), locals);
  close(channel);
});

test("an endpoint ejected by an outlier_detection above counts as unhealthy", () => {
  const channel = connected();
  for (const address of locals.slice(0, 2)) channel.at(address).setHealthy(false);
  channel.connect(...remotes);
  const got = localCalls(channel);
  assert.ok(Math.abs(got - 0.7) < 0.04, `${got}`);
  for (const address of locals) channel.at(address).setHealthy(true);
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("remote connections are released when they were not needed for a while", async () => {
  const channel = connected(policy({ remoteIdleTimeout: "60s" }));
  await lose(channel, "10.0.0.1:80", "10.0.0.2:80");
  channel.connect(...remotes);
  clock.advance(600_000);
  await tick();
  assert.equal(held(channel).length, 8, "needed connections were released");

  channel.connect("10.0.0.1:80");
  clock.advance(59_999);
  await tick();
  assert.equal(held(channel).length, 8);
  await lose(channel, "10.0.0.1:80");
  channel.connect("10.0.0.1:80", "10.0.0.2:80");
  clock.advance(59_999);
  await tick();
  assert.equal(held(channel).length, 8, "the time does not start again");
  clock.advance(1);
  await tick();
  assert.deepEqual(held(channel), locals);
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("when no endpoint can be reached, calls fail with the local group's message", async () => {
  const channel = connected(eager);
  await lose(channel, ...remotes);
  for (const address of locals) channel.at(address).become(IDLE);
  await tick();
  for (const address of locals) channel.at(address).become(TRANSIENT_FAILURE, `${address} refused`);
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.match(channel.message ?? "", /10\.0\.0\.4:80 refused/);
  assert.equal(channel.pick(metadata), undefined);
  close(channel);
});

for (const [name, json] of [
  ["eager", eager],
  ["lazy", policy()],
  ["round_robin", policy({ childPolicy: [{ round_robin: {} }], keepRemoteConnected: true })],
] as const) {
  test(`endpoints that change groups keep their connections (${name})`, () => {
    const channel = new FakeChannel(json);
    const hinted = (zoneOf: (address: string) => string) =>
      [...locals, ...remotes].map((address) => endpoint(address, { zone: "a", forZones: [zoneOf(address)] }));
    channel.update([...locals, ...remotes].map(inZone("a"))); // all local
    channel.connect();
    const dropped: string[] = [];
    const seen = { states: [] as (connectivityState | undefined)[] };
    for (const subchannel of channel.subchannels.values()) watchRefs(subchannel, dropped);
    for (const zoneOf of [
      (address: string) => (locals.includes(address) ? "a" : "b"),
      (address: string) => (locals.includes(address) ? "b" : "a"),
      (address: string) => (address.endsWith("1:80") ? "a" : "b"),
      () => "a",
    ]) {
      channel.update(hinted(zoneOf));
      seen.states.push(channel.state);
      const want = [...locals, ...remotes].filter((address) => zoneOf(address) === "a");
      const calls = new Set(pickMany(channel, 200));
      assert.deepEqual([...calls].sort(), want.sort());
    }
    assert.deepEqual(dropped, []);
    assert.deepEqual(seen.states, [READY, READY, READY, READY]);
    close(channel);
  });
}

/** Records the addresses whose last reference is released. */
function watchRefs(subchannel: FakeSubchannel, dropped: string[]): void {
  const { unref } = subchannel;
  subchannel.unref = () => {
    unref();
    if (subchannel.refs === 0) dropped.push(subchannel.address);
  };
}

test("the new picker is published before a connection is released", () => {
  const channel = connected(eager);
  const left = channel.at("10.0.0.1:80");
  let published = 0;
  const { unref } = left;
  left.unref = () => {
    unref();
    if (left.refs === 0) published = channel.published.length;
  };
  const before = channel.published.length;
  channel.update(both.slice(1));
  assert.ok(published > before, `${before} were published before the update, ${published} when it was given back`);
  assert.ok(!pickMany(channel, 200).includes("10.0.0.1:80"));
  close(channel);
});

test("an update that changes nothing keeps connections and calls", () => {
  const channel = connected(eager);
  const refs = () => [...channel.subchannels.values()].map((subchannel) => subchannel.refs);
  const before = refs();
  for (let i = 0; i < 5; i++) channel.update(both);
  assert.deepEqual(refs(), before);
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("when the endpoints of a zone change, the connection of the one that left is released and the new one is used", async () => {
  const channel = connected(eager);
  channel.update([...both.slice(1), inZone("a")("10.0.0.9:80")]);
  await tick();
  channel.connect("10.0.0.9:80");
  const calls = new Set(pickMany(channel, 500));
  assert.deepEqual([...calls].sort(), [...locals.slice(1), "10.0.0.9:80"]);
  assert.equal(channel.at("10.0.0.1:80").refs, 0);
  close(channel);
});

test("an error of the resolver keeps the endpoints; without any, calls fail with its message", () => {
  const channel = new FakeChannel(policy());
  channel.fail("no such service");
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.match(channel.message ?? "", /no such service/);
  channel.update(both);
  channel.connect();
  channel.fail("the API server is away");
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

const withChild = (child: object, fields: object = {}) => ({ locality: { ...fields, childPolicy: [child] } });
const withoutNote = "locality: the resolver has found no endpoint";

for (const [what, json] of Object.entries({
  eager,
  lazy: policy(),
  "the default child": { locality: { keepRemoteConnected: true } },
  "the default child, lazy": { locality: {} },
  pick_first: withChild({ pick_first: {} }, { keepRemoteConnected: true }),
  "a subset in it": withChild({ subset: { subsetSize: 4, clientKey: "a" } }),
})) {
  test(`an empty list fails calls at once with the resolver's note, and releases all connections (${what})`, async () => {
    const channel = new FakeChannel(json);
    const assertEmpty = (want: string) => {
      assert.equal(connectivityState[channel.state ?? -1], "TRANSIENT_FAILURE");
      assert.equal(channel.refusal(metadata) ?? "a call that waits", want);
      assert.deepEqual(held(channel), []);
      assert.equal(clock.sleeping, 0, "nothing is left to wait for");
    };
    assert.equal(channel.update([], undefined, {}, "there is no service web"), true, "otherwise calls hang");
    assertEmpty("there is no service web");
    channel.update([{ addresses: [] }]);
    assertEmpty(withoutNote);
    channel.fail("and now the resolver is gone");
    assertEmpty("and now the resolver is gone");
    channel.update(both);
    channel.connect();
    assert.equal(localCalls(channel, 100), 1);
    let published = 0;
    for (const subchannel of channel.subchannels.values()) {
      const { unref } = subchannel;
      subchannel.unref = () => {
        published ||= channel.published.length;
        unref();
      };
    }
    const before = channel.published.length;
    channel.update([], undefined, {}, "scaled to zero");
    assert.ok(published > before, "the new picker is there before the first connection goes");
    assertEmpty("scaled to zero");
    clock.advance(60_000);
    await tick();
    assert.equal(channel.state, TRANSIENT_FAILURE, "nothing is published by the groups that are gone");
    channel.update(both);
    channel.connect();
    assert.equal(localCalls(channel, 100), 1);
    channel.update(both.slice(4), policy({ zone: "b" }));
    channel.connect();
    assert.equal(localCalls(channel, 100), 0);
    close(channel);
  });
}

for (const child of [{ round_robin: {} }, { least_request: {} }, { pick_first: {} }]) {
  const [name = ""] = Object.keys(child);
  test(`when all endpoints are local, the state of the empty remote group does not matter (${name})`, async () => {
    const channel = connected(withChild(child, { keepRemoteConnected: true }));
    for (const address of locals) {
      channel.at(address).become(IDLE);
      await tick();
      channel.at(address).become(TRANSIENT_FAILURE, "connection refused");
    }
    assert.ok(remotes.includes(channel.pick(metadata)?.address ?? ""));
    channel.update(locals.map(inZone("a")));
    assert.equal(connectivityState[channel.state ?? -1], "TRANSIENT_FAILURE");
    assert.notEqual(channel.refusal(metadata), undefined, "calls do not wait");
    assert.deepEqual(
      held(channel).filter((address) => remotes.includes(address)),
      [],
      "the remote group is gone",
    );
    close(channel);
  });
}

test("an error of the resolver reaches both groups, with the configuration that comes with it", () => {
  const ejected = (panicThreshold: number) => withChild({ least_request: { panicThreshold } });
  const channel = connected(ejected(0), both);
  for (const address of locals) channel.at(address).become(IDLE);
  channel.connect(...remotes);
  for (const address of remotes) channel.at(address).setHealthy(false);
  assert.notEqual(channel.state, READY);
  channel.fail("the API server is away", ejected(100));
  assert.ok(remotes.includes(channel.pick(metadata)?.address ?? ""), "the remote group is in a panic now");
  close(channel);
});

test("after an empty list the connect timeout starts again", async () => {
  const channel = new FakeChannel(policy({ connectTimeout: "3s" }));
  for (const list of [both, [], both]) channel.update(list);
  await tick();
  clock.advance(3_000);
  await tick();
  assert.deepEqual(held(channel), [...locals, ...remotes]);
  close(channel);
});

test("a configuration that arrives while the picker of another one is published applies", async () => {
  const channel = new FakeChannel(policy({ connectTimeout: "30s" }));
  channel.update(both);
  await tick();
  channel.onState = () => {
    channel.onState = () => {};
    channel.update(both, policy({ connectTimeout: "3s" }));
  };
  channel.update(both);
  assert.equal(clock.sleeping, 1);
  clock.advance(3_000);
  await tick();
  assert.deepEqual(held(channel), [...locals, ...remotes]);
  close(channel);
});

test("a state listener may close the channel", async () => {
  for (const json of [eager, policy(), { locality: { keepRemoteConnected: true } }]) {
    for (const at of [CONNECTING, READY, TRANSIENT_FAILURE]) {
      const channel = new FakeChannel(json);
      channel.onState = (state) => state === at && channel.balancer.destroy();
      channel.update(both);
      await tick();
      for (const state of [READY, IDLE, CONNECTING, TRANSIENT_FAILURE]) {
        for (const subchannel of channel.subchannels.values()) subchannel.become(state, "as the test has it");
      }
      if (at === READY) assert.equal(channel.state, at);
      assert.deepEqual(held(channel), [], `closed at ${connectivityState[at]}`);
      assert.equal(clock.sleeping, 0, `waits after a close at ${connectivityState[at]}`);
    }
  }
});

test("a request to connect connects the local group, and no remote endpoint that is not needed", async () => {
  const channel = new FakeChannel(withChild({ pick_first: {} }));
  channel.update(both);
  channel.connect("10.0.0.1:80");
  channel.at("10.0.0.1:80").become(IDLE);
  await tick(); // calls need the remote group now
  channel.connect("10.1.0.1:80");
  channel.connect("10.0.0.1:80");
  assert.equal(localCalls(channel, 10), 1);
  channel.at("10.1.0.1:80").become(IDLE);
  channel.balancer.exitIdle();
  await tick();
  assert.equal(channel.at("10.1.0.1:80").state, IDLE);
  close(channel);

  const alone = new FakeChannel(withChild({ pick_first: {} }));
  alone.update([inZone("a")("10.0.0.1:80")]);
  alone.connect();
  alone.at("10.0.0.1:80").become(IDLE);
  assert.equal(alone.state, IDLE);
  alone.balancer.exitIdle();
  assert.equal(alone.state, CONNECTING);
  close(alone);
});

test("the local group reconnects although its policy is idle", async () => {
  const channel = new FakeChannel(policy({ childPolicy: [{ pick_first: {} }], keepRemoteConnected: true }));
  channel.update(both);
  channel.connect("10.0.0.1:80", "10.1.0.1:80");
  assert.equal(localCalls(channel, 10), 1);
  channel.at("10.0.0.1:80").become(IDLE);
  assert.equal(localCalls(channel, 10), 0);
  await tick();
  channel.connect("10.0.0.1:80");
  assert.equal(localCalls(channel, 10), 1);
  close(channel);
});

test("a child policy that connects to one endpoint only does not count as unhealthy", async () => {
  const channel = new FakeChannel(policy({ childPolicy: [{ pick_first: {} }] }));
  channel.update(both);
  channel.connect("10.0.0.1:80");
  await tick();
  assert.deepEqual(held(channel), ["10.0.0.1:80"]);
  assert.equal(localCalls(channel, 10), 1);
  clock.advance(60_000);
  await tick();
  assert.deepEqual(held(channel), ["10.0.0.1:80"]);
  close(channel);
});

test("an endpoint with two addresses is unhealthy only when neither can be reached", async () => {
  const two = { ...endpoint("10.0.0.1:80", { zone: "a" }) };
  two.addresses = [...two.addresses, { host: "10.0.9.1", port: 80 }];
  const channel = new FakeChannel(policy());
  channel.update([two, inZone("b")("10.1.0.1:80")]);
  await tick();
  channel.at("10.0.0.1:80").become(TRANSIENT_FAILURE, "no route");
  await tick();
  assert.equal(channel.subchannels.has("10.1.0.1:80"), false);
  channel.at("10.0.9.1:80").become(TRANSIENT_FAILURE, "no route");
  await tick();
  assert.equal(channel.at("10.1.0.1:80").refs > 0, true);
  close(channel);
});

test("it works within subset and outlier_detection, which gets its own subchannels in pick results", async () => {
  const child = { subset: { subsetSize: 6, clientKey: "a", childPolicy: [eager] } };
  const detection = { failure_percentage_ejection: { request_volume: 1 }, child_policy: [child] };
  const channel = new FakeChannel({ outlier_detection: detection });
  channel.update(both);
  channel.connect();
  assert.equal(held(channel).length, 6);
  const calls = pickMany(channel, 400);
  const used = held(channel).filter((address) => locals.includes(address));
  assert.equal(judge(calls, used, "random").word, "BALANCED");
  const call = channel.pick(metadata);
  call?.start();
  call?.end(14);
  close(channel);
});

test("subset works as the child policy of each zone", () => {
  const channel = connected(
    policy({
      keepRemoteConnected: true,
      childPolicy: [{ subset: { subsetSize: 2, clientKey: "a", childPolicy: [{ least_request: {} }] } }],
    }),
  );
  assert.deepEqual(
    held(channel)
      .map((address) => locals.includes(address))
      .sort(),
    [false, false, true, true],
  );
  assert.equal(localCalls(channel, 100), 1);
  close(channel);
});

test("errors name the wrong field", () => {
  const table: [object, RegExp][] = [
    [{ zone: "" }, /zone must be a non-empty string, got ""/],
    [{ minLocalEndpoints: 0 }, /minLocalEndpoints must be an integer >= 1, got 0/],
    [{ overprovisioning: 0.9 }, /overprovisioning must be a number >= 1, got 0.9/],
    [{ connectTimeout: "0s" }, /connectTimeout must be a duration .*> 0ms, got "0s"/],
    [{ remoteIdleTimeout: 5 }, /remoteIdleTimeout must be a duration .*, got 5/],
    [{ keepRemoteConnected: "yes" }, /keepRemoteConnected must be true or false, got "yes"/],
    [{ childPolicy: [{ none_such: {} }] }, /childPolicy must name a registered policy, got none_such/],
    [{ zones: "a" }, /unknown field zones;/],
  ];
  for (const [json, want] of table) assert.throws(() => parsePolicy({ locality: json }), want, JSON.stringify(json));
  parsePolicy({ locality: { overprovisioning: 1, remote_idle_timeout: "0s", min_local_endpoints: 3 } });
  parsePolicy({ locality: {} });
});
