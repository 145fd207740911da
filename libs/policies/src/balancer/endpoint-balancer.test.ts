import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { endpoint, FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { Probe } from "../../testing/probe.ts";
import { turn } from "../../testing/rig.ts";
import { connectivityState, type GrpcEndpoint } from "../grpc-js.ts";
import { leastRequest } from "../policies/least-request.ts";
import { weightedRandom } from "../policies/weighted-random.ts";
import { registerPoliciesIn, registerPolicy } from "../registration/register.ts";
import type { CommonConfig, Policy } from "./policy.ts";

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
const clock = new ManualClock();
registerPoliciesIn({ random: createRandom(7), clock, ...noWaits });

const metadata = new Metadata();
const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;
const all = [one, two, three].map((address) => endpoint(address));
let names = 0;

/** A channel over a policy of its own name, and what goes on inside. */
function open<Config extends CommonConfig, Load>(policy: Policy<Config, Load>, config: object = {}) {
  names += 1;
  const probe = new Probe(`probe_${names}`, policy);
  registerPolicy(probe.policy);
  const channel = new FakeChannel({ [probe.policy.name]: config });
  const json = (config: object) => ({ [probe.policy.name]: config });
  return { channel, probe, json };
}

/** Where so many calls go, when none of them ends. */
function spread(channel: FakeChannel, calls: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < calls; n++) {
    const address = channel.pick(metadata)?.address ?? "nowhere";
    counts[address] = (counts[address] ?? 0) + 1;
  }
  return counts;
}

/** Ends the channel and proves that nothing is left of it. */
function close(channel: FakeChannel): void {
  const published = channel.published.length;
  channel.balancer.destroy();
  assert.deepEqual(channel.held, {}, "connections that are held after destroy");
  assert.equal(clock.sleeping, 0, "waits after destroy");
  for (const subchannel of channel.subchannels.values()) {
    subchannel.become(TRANSIENT_FAILURE, "late");
    subchannel.setHealthy(false);
    subchannel.become(IDLE);
  }
  assert.equal(channel.published.length, published, "published after destroy");
}

afterEach(assertNothingLeft);

test("an error of the resolver fails calls at once with its message, until there are endpoints", () => {
  const { channel } = open(leastRequest);
  assert.equal(channel.fail("no such service"), true);
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.equal(channel.refusal(metadata), "no such service");
  channel.fail("still not there");
  assert.equal(channel.refusal(metadata), "still not there");
  channel.update(all);
  channel.connect(two);
  assert.equal(channel.pick(metadata)?.address, two);
  close(channel);
});

test("an error of the resolver keeps the endpoints, and the configuration that comes with it applies", () => {
  const { channel, probe, json } = open(leastRequest);
  channel.update(all);
  channel.connect();
  const { held } = channel;
  assert.equal(channel.fail("resolver is gone"), true);
  assert.equal(channel.state, READY);
  assert.deepEqual(channel.held, held);
  assert.deepEqual(Object.keys(spread(channel, 30)).sort(), [one, two, three]);
  channel.fail("resolver is gone", json({ choiceCount: 5 }));
  assert.equal(probe.input?.config.choiceCount, 5);
  close(channel);
});

test("an empty list fails calls at once with the resolver's note, and is accepted", () => {
  const { channel } = open(leastRequest);
  assert.equal(channel.update([], undefined, {}, "service default/web has no endpoint"), true, "else calls hang");
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.equal(channel.refusal(metadata), "service default/web has no endpoint");
  channel.update([]);
  assert.match(channel.refusal(metadata) ?? "", /^probe_\d+: the resolver has found no endpoint$/);
  channel.update(all);
  assert.equal(channel.state, CONNECTING);
  channel.connect(three);
  assert.equal(channel.pick(metadata)?.address, three);
  close(channel);
});

test("an empty list while READY fails calls at once and releases all connections, and the next endpoint is used", () => {
  const { channel } = open(weightedRandom, { slowStart: { window: "10s" } });
  channel.update(all);
  channel.connect();
  assert.equal(clock.sleeping, 1, "slow start waits");
  assert.equal(channel.update([], undefined, {}, "scaled to zero"), true);
  assert.equal(channel.refusal(metadata), "scaled to zero");
  assert.deepEqual(channel.held, {});
  assert.equal(clock.sleeping, 0, "nothing is left to wait for");
  channel.fail("and now the resolver is gone");
  assert.equal(channel.refusal(metadata), "and now the resolver is gone");
  channel.update([endpoint("10.0.0.9:80")]);
  channel.connect("10.0.0.9:80");
  assert.equal(channel.pick(metadata)?.address, "10.0.0.9:80");
  close(channel);
});

test("a child that stays keeps its connection, its count and its state through updates", () => {
  const { channel, probe, json } = open(leastRequest);
  channel.update(all);
  channel.connect();
  const before = new Map(probe.input?.children.map((child) => [child.info.id, child]));
  const { held } = channel;
  const calls = [1, 2, 3].map(() => channel.pick(metadata));
  for (const call of calls) call?.start();
  const counted = probe.inFlight; // random: two of three endpoints are compared
  assert.equal(
    Object.values(counted).reduce((sum, count) => sum + count, 0),
    3,
  );
  channel.update([...all].reverse(), json({ choiceCount: 3 }));
  assert.deepEqual(channel.held, held);
  assert.deepEqual(
    probe.input?.children.map(({ info, index }) => `${index} ${info.id}`),
    [`0 ${three}`, `1 ${two}`, `2 ${one}`],
  );
  for (const child of probe.input?.children ?? []) assert.equal(child, before.get(child.info.id));
  assert.deepEqual(probe.inFlight, counted);
  channel.update([endpoint(one, { weight: 5 })]);
  assert.equal(probe.input?.children[0]?.info.weight, 5, "the newest info count");
  for (const call of calls) call?.end();
  assert.deepEqual(probe.inFlight, {}, "calls of endpoints that have left, too");
  assert.deepEqual(
    probe.events,
    [one, two, three].map((address) => `connected ${address}`).concat([`disconnected ${three}`, `disconnected ${two}`]),
  );
  close(channel);
});

test("an endpoint that moves is the same child, with another connection and address", () => {
  const { channel, probe } = open(leastRequest);
  channel.update([endpoint(one, { id: "pod" })]);
  channel.connect();
  const child = probe.input?.children[0];
  channel.update([endpoint(two, { id: "pod" })]);
  channel.connect(two);
  assert.equal(probe.input?.children[0], child);
  assert.equal(child?.info.address, two);
  assert.deepEqual(channel.held, { [two]: 1 });
  assert.equal(channel.pick(metadata)?.address, two);
  close(channel);
});

test("the new picker is published before the connection of a leaving endpoint is released", () => {
  const { channel } = open(leastRequest);
  channel.update(all);
  channel.connect();
  const leaving = channel.at(one);
  const atUnref: string[][] = [];
  const { unref } = leaving;
  leaving.unref = () => {
    atUnref.push(Object.keys(spread(channel, 10)).sort());
    unref();
  };
  channel.update(all.slice(1));
  assert.deepEqual(atUnref, [[two, three]], "where calls go at that time");
  close(channel);
});

test("one picker is published for an update, however many endpoints have come, gone or connected", () => {
  const { channel } = open(leastRequest);
  channel.update(all);
  const connecting = channel.published.length;
  assert.equal(connecting, 1);
  channel.connect();
  channel.balancer.destroy();
  const again = open(leastRequest);
  for (const [address, subchannel] of channel.subchannels) again.channel.subchannels.set(address, subchannel);
  again.channel.update(all);
  assert.deepEqual(
    again.channel.published.map(({ state }) => state),
    [READY],
    "connections that others have",
  );
  close(again.channel);
});

test("the addresses of a dual stack endpoint are one child, which takes one share and holds one connection", () => {
  const { channel, probe } = open(leastRequest);
  const v4 = { host: "10.0.0.1", port: 80 };
  const v6 = { host: "fd00::1", port: 80 };
  channel.update([{ ...endpoint(one, { id: "pod-1" }), addresses: [v4, v6] } as GrpcEndpoint, endpoint(two)]);
  assert.deepEqual(channel.held, { "10.0.0.1:80": 1, "fd00::1:80": 1, "10.0.0.2:80": 1 });
  channel.connect("fd00::1:80", two);
  assert.deepEqual(channel.held, { "fd00::1:80": 1, "10.0.0.2:80": 1 });
  assert.deepEqual(spread(channel, 10), { "fd00::1:80": 5, [two]: 5 });
  assert.equal(probe.input?.children.length, 2);
  close(channel);
});

test("two endpoints with the same id become one child with the addresses of both", () => {
  const { channel, probe } = open(leastRequest);
  channel.update([
    endpoint(one, { id: "pod" }),
    endpoint(two, { id: "pod" }),
    endpoint(one, { id: "pod" }),
    endpoint(three),
  ]);
  assert.deepEqual(channel.held, { [one]: 1, [two]: 1, [three]: 1 });
  channel.connect(two, three);
  assert.deepEqual(spread(channel, 10), { [two]: 5, [three]: 5 });
  assert.deepEqual(
    probe.input?.children.map(({ info }) => info.id),
    ["pod", three],
  );
  channel.update([endpoint(two, { id: "pod" }), endpoint(one, { id: "pod" }), endpoint(three)]);
  assert.deepEqual(channel.held, { [two]: 1, [three]: 1 }, "the order of addresses does not reopen connections");
  close(channel);
});

test("equal options keep connections; changed options open new ones", () => {
  const { channel } = open(leastRequest);
  const asked: unknown[] = [];
  channel.onSubchannel = (address, options) => asked.push(`${address} ${options["grpc.keepalive_time_ms"]}`);
  channel.update([endpoint(one)], undefined, { "grpc.keepalive_time_ms": 1 });
  channel.connect();
  channel.update([endpoint(one)], undefined, { "grpc.keepalive_time_ms": 1 });
  assert.deepEqual(asked, [`${one} 1`]);
  for (let n = 0; n < 2; n++) channel.update([endpoint(one)], undefined, { "grpc.keepalive_time_ms": 2 });
  assert.deepEqual(asked, [`${one} 1`, `${one} 2`]);
  channel.update([endpoint(one)], undefined, { "grpc.keepalive_time_ms": 2, "grpc.primary_user_agent": "x" });
  assert.equal(asked.length, 3);
  assert.deepEqual(channel.held, { [one]: 1 });
  assert.equal(channel.pick(metadata)?.address, one);
  close(channel);
});

test("a child that lost its connection reconnects, requests one resolution, and calls go elsewhere meanwhile", async () => {
  const { channel, probe } = open(leastRequest);
  channel.update(all);
  channel.connect();
  assert.equal(channel.reresolutions, 0);
  channel.at(two).become(IDLE);
  assert.equal(channel.reresolutions, 1);
  assert.equal(channel.state, READY);
  assert.deepEqual(Object.keys(spread(channel, 10)).sort(), [one, three]);
  await turn();
  assert.equal(channel.at(two).state, CONNECTING, "it reconnects without a request");
  channel.at(two).become(TRANSIENT_FAILURE, "refused");
  assert.deepEqual(Object.keys(spread(channel, 10)).sort(), [one, three]);
  channel.at(two).become(IDLE);
  assert.equal(channel.at(two).state, CONNECTING);
  channel.connect(two);
  assert.deepEqual(Object.keys(spread(channel, 30)).sort(), [one, two, three]);
  assert.deepEqual(probe.events.slice(3), [`disconnected ${two}`, `connected ${two}`]);
  assert.deepEqual(channel.held, { [one]: 1, [two]: 1, [three]: 1 });
  close(channel);
});

test("when no endpoint can be reached calls fail at once, with the reason and the policy's name", () => {
  const { channel } = open(leastRequest);
  channel.update(all.slice(0, 2));
  assert.equal(channel.refusal(metadata), undefined, "calls wait while connecting");
  channel.at(one).become(TRANSIENT_FAILURE, "connect ECONNREFUSED 10.0.0.1:80");
  assert.equal(channel.state, CONNECTING);
  channel.at(two).become(TRANSIENT_FAILURE, "connect ETIMEDOUT 10.0.0.2:80");
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.match(
    channel.refusal(metadata) ?? "",
    /^probe_\d+: none of 2 endpoints can be reached: No connection established\. Last error: connect ETIMEDOUT 10\.0\.0\.2:80\./,
  );
  channel.at(one).become(IDLE);
  assert.equal(channel.state, TRANSIENT_FAILURE, "until one of them is READY");
  channel.connect(one);
  assert.equal(channel.state, READY);
  close(channel);
});

test("a resolver that answers at once when a connection is lost leaves no connection behind", async () => {
  const { channel } = open(leastRequest);
  channel.update(all);
  channel.connect();
  channel.onReresolution = () => channel.update(all.slice(1));
  channel.at(one).become(IDLE);
  await turn();
  assert.deepEqual(channel.held, { [two]: 1, [three]: 1 });
  close(channel);
});

test("a resolver that answers at once, when a child cannot connect from the start, has its whole answer applied", () => {
  const { channel, probe } = open(leastRequest);
  channel.update([endpoint(one)]);
  channel.connect();
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  channel.update([endpoint(two), endpoint(three)]);
  channel.connect(two, three);
  let answers = 0;
  channel.onReresolution = () => {
    answers += 1;
    channel.onReresolution = () => {};
    channel.update([endpoint(three)]);
  };
  channel.update(all); // the first one is still in grpc-js's backoff
  assert.equal(answers, 1);
  assert.deepEqual(channel.held, { [three]: 1 });
  assert.deepEqual(
    probe.input?.children.map(({ info }) => info.address),
    [three],
  );
  close(channel);
});

test("an endpoint that left while it was connecting requests no resolution", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { channel } = open(leastRequest);
  channel.update(all);
  channel.update(all.slice(1));
  const published = channel.published.length;
  t.mock.timers.tick(10_000); // grpc-js's timer for the next address fires at 250 ms
  assert.equal(channel.reresolutions, 0);
  assert.equal(channel.published.length, published);
  close(channel);
  t.mock.timers.tick(10_000);
  assert.equal(channel.reresolutions, 0);
});

test("an endpoint that outlier_detection has ejected gets no call until the ejection ends", () => {
  const { channel, probe } = open(leastRequest);
  channel.update(all);
  channel.connect();
  channel.at(one).setHealthy(false);
  assert.equal(channel.state, READY);
  assert.deepEqual(spread(channel, 10), { [two]: 5, [three]: 5 });
  channel.at(two).setHealthy(false);
  channel.at(three).setHealthy(false);
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.match(channel.refusal(metadata) ?? "", /Picked subchannel 10\.0\.0\.3:80 is unhealthy/);
  assert.deepEqual(channel.held, { [one]: 1, [two]: 1, [three]: 1 }, "connections stay");
  channel.at(one).setHealthy(true);
  assert.deepEqual(spread(channel, 3), { [one]: 3 });
  assert.equal(probe.events.at(-1), `connected ${one}`);
  close(channel);
});

test("below the panic threshold ejected endpoints take calls again, and unconnected ones never", () => {
  const { channel, json } = open(leastRequest, { panicThreshold: 50 });
  const four = endpoint("10.0.0.4:80");
  channel.update([...all, four]);
  channel.connect(one, two, three);
  channel.at("10.0.0.4:80").become(TRANSIENT_FAILURE, "refused");
  channel.at(one).setHealthy(false);
  assert.deepEqual(Object.keys(spread(channel, 20)).sort(), [two, three], "half of them are READY: that is enough");
  channel.at(two).setHealthy(false);
  assert.deepEqual(Object.keys(spread(channel, 20)).sort(), [one, two, three]);
  channel.at(three).setHealthy(false);
  assert.equal(channel.state, READY, "all are ejected, and some endpoint must take the call");
  assert.deepEqual(Object.keys(spread(channel, 20)).sort(), [one, two, three]);
  channel.at(one).become(IDLE);
  assert.deepEqual(Object.keys(spread(channel, 20)).sort(), [two, three], "a lost connection takes no calls");
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  channel.update([...all, four], json({ panicThreshold: 0 }));
  assert.equal(channel.state, TRANSIENT_FAILURE);
  close(channel);
});

test("calls to an ejected endpoint are counted like others", async () => {
  const { channel, probe } = open(leastRequest, { panicThreshold: 100 });
  channel.update(all.slice(0, 2));
  channel.connect();
  channel.at(one).setHealthy(false);
  const calls = [channel.pick(metadata), channel.pick(metadata)];
  for (const call of calls) call?.start();
  assert.deepEqual(probe.inFlight, { [one]: 1, [two]: 1 });
  await turn();
  for (const call of calls) call?.end();
  assert.deepEqual(probe.inFlight, {});
  close(channel);
});

test("slow start creates new pickers while an endpoint warms up, and not after; its timer ends with the channel", async () => {
  const { channel, probe } = open(weightedRandom, { slowStart: { window: "10s" } });
  channel.update(all.slice(0, 2));
  channel.connect();
  assert.equal(clock.sleeping, 1, "one wait, whatever the endpoints");
  const first = probe.input;
  clock.advance(5_000);
  await turn();
  assert.notEqual(probe.input, first);
  assert.equal(clock.sleeping, 1);
  clock.advance(5_000);
  await turn();
  assert.equal(clock.sleeping, 0, "all are warm");
  channel.at(one).become(IDLE);
  channel.connect(one);
  assert.equal(clock.sleeping, 1, "one timer");
  close(channel);
});

test("a connection to another address of the same endpoint is reported as a new connection", () => {
  const { channel, probe } = open(leastRequest);
  channel.update([endpoint(one, { id: "pod" })]);
  channel.connect();
  channel.update([endpoint(two, { id: "pod" })]);
  assert.equal(channel.pick(metadata)?.address, one, "the old one serves until the new one is there");
  channel.connect(two);
  assert.equal(channel.pick(metadata)?.address, two);
  assert.deepEqual(channel.held, { [two]: 1 });
  assert.deepEqual(probe.events, [`connected ${one}`, `connected ${two}`]);
  close(channel);
});

test("another policy takes over the connections", () => {
  const { channel } = open(leastRequest);
  channel.update(all);
  channel.connect();
  channel.update(all, { random: {} });
  assert.equal(channel.state, READY);
  assert.deepEqual(channel.held, { [one]: 1, [two]: 1, [three]: 1 });
  close(channel);
});

test("a channel that a state listener closes leaves no timer", async () => {
  const slow = { slowStart: { window: "10s" } };
  for (const at of [CONNECTING, READY, TRANSIENT_FAILURE]) {
    const { channel } = open(weightedRandom, slow);
    channel.onState = (state) => state === at && channel.balancer.destroy();
    channel.update(all);
    await turn();
    for (const state of [READY, IDLE, CONNECTING, TRANSIENT_FAILURE]) {
      for (const subchannel of channel.subchannels.values()) subchannel.become(state, "as the test has it");
    }
    close(channel);
  }
});

test("a channel that a state listener updates has one timer, of the newer picker", async () => {
  const { channel, probe, json } = open(weightedRandom, { slowStart: { window: "10s" } });
  channel.update(all.slice(0, 1));
  channel.onState = (state) => {
    if (state !== READY) return;
    channel.onState = () => {};
    channel.update(all.slice(0, 1), json({ slowStart: { window: "20s" } }));
  };
  channel.connect();
  assert.equal(clock.sleeping, 1);
  clock.advance(10_000);
  await turn();
  assert.equal(probe.input?.config.slowStart?.windowMs, 20_000);
  assert.equal(clock.sleeping, 1, "it is warm after 20 s only");
  close(channel);
});

test("when the only connection is lost, the channel is CONNECTING and never IDLE", () => {
  const { channel } = open(leastRequest);
  channel.update(all.slice(0, 1));
  channel.connect();
  channel.published.length = 0;
  channel.at(one).become(IDLE);
  const states = new Set(channel.published.map(({ state }) => connectivityState[state]));
  assert.deepEqual([...states], ["CONNECTING"]);
  close(channel);
});

/** A channel with two endpoints, one of which lost its connection during an update. */
function forgotten() {
  const { channel } = open(leastRequest);
  channel.update([endpoint(one)]);
  channel.connect();
  channel.onSubchannel = () => channel.at(one).become(IDLE);
  channel.update(all.slice(0, 2));
  assert.equal(channel.at(one).state, IDLE);
  return channel;
}

test("a connection that was lost during an update comes back when the channel is asked to connect", async () => {
  const channel = forgotten();
  await turn();
  assert.equal(channel.at(one).state, IDLE);
  channel.balancer.exitIdle();
  await turn();
  assert.equal(channel.at(one).state, CONNECTING);
  close(channel);
});

test("a connection that was lost during an update comes back when a call waits", async () => {
  const channel = forgotten();
  assert.equal(channel.pick(metadata), undefined);
  await turn();
  await turn();
  assert.equal(channel.at(one).state, CONNECTING);
  close(channel);
});

test("an update during which a child has failed requests a resolution, and later updates do not", () => {
  const { channel } = open(leastRequest);
  channel.update(all.slice(0, 1));
  channel.connect();
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  channel.update(all.slice(1));
  channel.connect(two, three);
  const before = channel.reresolutions;
  channel.update(all); // the first one is in backoff
  assert.equal(channel.reresolutions, before + 1);
  channel.update(all.slice(1));
  channel.update([...all.slice(1)].reverse());
  assert.equal(channel.reresolutions, before + 1);
  close(channel);
});

test("a pick of an old picker whose endpoint has left is not counted", () => {
  const { channel, probe } = open(leastRequest);
  channel.update(all.slice(0, 1));
  channel.connect();
  const picker = channel.published.at(-1)?.picker;
  channel.at(one).become(IDLE);
  const result = picker?.pick({ metadata, extraPickInfo: {} });
  assert.equal(result?.subchannel, null);
  assert.deepEqual(probe.inFlight, {});
  assert.deepEqual([result?.onCallStarted, result?.onCallEnded], [null, null]);
  close(channel);
});
