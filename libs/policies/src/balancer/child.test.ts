import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { endpoint, FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { Probe } from "../../testing/probe.ts";
import { call, Rig, turn, until, untilAllAnswer } from "../../testing/rig.ts";
import { connectivityState, type GrpcEndpoint, type PolicyJson } from "../grpc-js.ts";
import { leastRequest } from "../policies/least-request.ts";
import { registerPoliciesIn, registerPolicy } from "../registration/register.ts";
import type { Child } from "./child.ts";

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
registerPoliciesIn({ random: createRandom(5), ...noWaits });
const metadata = new Metadata();
let names = 0;

const addressesOf = (address: string) => endpoint(address).addresses;

/** One child with two addresses, of a policy that uses ejected endpoints when there is no other. */
function single() {
  names += 1;
  const probe = new Probe(`child_${names}`, leastRequest);
  registerPolicy(probe.policy);
  const channel = new FakeChannel({ [probe.policy.name]: { panicThreshold: 100 } });
  const [v4, v6] = ["10.0.0.1:80", "10.0.0.2:80"] as const;
  const addresses = [v4, v6].flatMap(addressesOf);
  channel.update([{ ...endpoint(v4, { id: "pod" }), addresses } as GrpcEndpoint]);
  return { probe, channel, v4, v6, child: () => probe.input?.children[0] as Child };
}

test("a child connects to its addresses one after the other", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { channel, v4, v6 } = single();
  await turn();
  assert.equal(channel.at(v4).state, CONNECTING);
  assert.equal(channel.at(v6).state, IDLE);
  t.mock.timers.tick(250);
  await turn();
  assert.equal(channel.at(v6).state, CONNECTING);
  channel.balancer.destroy();
});

test("a child's connection is the one that its calls use, to any of its addresses", () => {
  const { channel, v6, child } = single();
  channel.connect(v6);
  assert.equal(child().connected?.getAddress(), v6);
  assert.equal(child().isReady, true);
  assert.equal(channel.pick(metadata)?.address, v6);
  channel.balancer.destroy();
  assert.deepEqual(channel.held, {});
});

test("a child that is ejected still has its connection, and one that lost it has none", () => {
  const { channel, v6, child } = single();
  channel.connect(v6);
  channel.at(v6).setHealthy(false);
  assert.equal(child().state, TRANSIENT_FAILURE);
  assert.equal(child().isReady, false);
  assert.equal(child().connected?.getAddress(), v6);
  assert.equal(channel.pick(metadata)?.address, v6);
  channel.at(v6).become(IDLE);
  assert.equal(child().connected, undefined);
  assert.equal(channel.state, CONNECTING);
  channel.balancer.destroy();
});

test("readyAtMs is the time of the last connection", () => {
  const { channel, v4, child } = single();
  channel.connect(v4);
  assert.equal(typeof child().readyAtMs, "number");
  const lost = child();
  channel.at(v4).become(IDLE);
  assert.equal(lost.readyAtMs, undefined);
  assert.equal(lost.state, CONNECTING, "it connects again");
  channel.balancer.destroy();
});

test("a destroyed child receives no more events and opens no connection", () => {
  const { channel, v4, v6, child } = single();
  channel.connect(v4);
  const left = child();
  channel.update([endpoint("10.0.0.9:80")]);
  channel.connect("10.0.0.9:80");
  channel.at(v4).become(TRANSIENT_FAILURE, "late");
  channel.at(v6).become(READY);
  left.connect();
  assert.equal(left.state, READY, "as it was when it left");
  assert.equal(left.connected, undefined);
  assert.deepEqual(channel.held, { "10.0.0.9:80": 1 });
  channel.balancer.destroy();
});

/** outlier_detection that acts within a second: it checks every 50 ms and ends ejections after 50 ms. */
const detecting = (child: PolicyJson): PolicyJson => ({
  outlier_detection: {
    interval: { seconds: 0, nanos: 50_000_000 },
    base_ejection_time: { seconds: 0, nanos: 50_000_000 },
    max_ejection_time: { seconds: 0, nanos: 50_000_000 },
    max_ejection_percent: 100,
    failure_percentage_ejection: { threshold: 50, minimum_hosts: 2, request_volume: 3 },
    child_policy: [child],
  },
});

/** Three servers behind outlier_detection, all connected. */
async function detected(t: TestContext, child: PolicyJson) {
  const rig = new Rig(t);
  const [a, b, c] = await rig.start("a", "b", "c");
  rig.publish([a, b, c]);
  const client = rig.client(detecting(child));
  await untilAllAnswer(client, a, b, c);
  const names = async (calls: number) =>
    new Set(await Promise.all(Array.from({ length: calls }, () => call(client).catch(({ details }) => details))));
  return { a, b, c, names };
}

type Names = Awaited<ReturnType<typeof detected>>["names"];

/** Sends 30 calls at a time until the condition holds for the names that respond to them. */
async function callUntil(names: Names, condition: (got: string) => boolean, what: string): Promise<void> {
  let got: string | undefined = "";
  const callAgain = async () => {
    got = undefined; // calls are in flight
    got = [...(await names(30))].sort().join();
  };
  await until(() => {
    if (got === undefined) return false;
    if (condition(got)) return true;
    void callAgain();
    return false;
  }, what);
}

const untilAnswers = (names: Names, ...want: readonly string[]) =>
  callUntil(names, (got) => got === want.join(), `only ${want} respond`);

for (const policy of ["least_request", "random"]) {
  test(`outlier_detection over ${policy} ejects a failing server, and takes it back`, async (t) => {
    const { a, names } = await detected(t, { [policy]: {} });
    a.fail(status.INTERNAL);
    await untilAnswers(names, "b", "c");
    a.answer();
    await untilAnswers(names, "a", "b", "c");
  });
}

test("below the panic threshold servers that outlier_detection has ejected take calls again", async (t) => {
  const probe = new Probe("panicking", leastRequest);
  registerPolicy(probe.policy);
  const { a, b, names } = await detected(t, { panicking: { panicThreshold: 60 } });
  for (const backend of [a, b]) backend.fail(status.INTERNAL);
  const ejected = () => probe.input?.children.filter((child) => !child.isReady).length;
  await callUntil(names, () => ejected() === 2, "both failing servers are ejected");
  assert.equal(probe.input?.ready.length, 3, "one of three is left, which is below 60 %");
  const before = a.calls + b.calls;
  await names(30);
  assert.ok(a.calls + b.calls > before, "calls at servers that are ejected");
});

test("a child that has moved has no connection to its previous address", async () => {
  const { channel, v4, v6, child } = single();
  const [three] = ["10.0.0.3:80"] as const;
  channel.connect(v4);
  channel.update([endpoint(three, { id: "pod" })]);
  channel.connect(three);
  assert.equal(channel.at(v4).state, READY, "another channel is connected to it");
  channel.at(three).become(IDLE);
  const moved = child();
  await turn();
  channel.at(three).become(TRANSIENT_FAILURE, "refused");
  assert.equal(moved.state, TRANSIENT_FAILURE);
  assert.equal(moved.connected?.getAddress(), undefined);
  assert.equal(channel.state, TRANSIENT_FAILURE, "not even in a panic does a call go there");
  assert.deepEqual(channel.held, { [three]: 1 });
  assert.equal(channel.at(v6).refs, 0);
  channel.balancer.destroy();
});

test("an ejected child keeps its own connection, although another channel is connected to its other address", () => {
  const { channel, v4, v6, child } = single();
  channel.connect(v6);
  channel.at(v4).become(READY);
  channel.at(v6).setHealthy(false);
  assert.equal(child().connected?.getAddress(), v6);
  assert.equal(channel.pick(metadata)?.address, v6);
  channel.at(v4).setHealthy(false);
  const options = { "grpc.keepalive_time_ms": 1 };
  channel.update([{ ...endpoint(v4, { id: "pod" }), addresses: [v4, v6].flatMap(addressesOf) }], undefined, options);
  assert.deepEqual(channel.held, { [v4]: 1 }, "with a new list the leaf takes the first that is connected");
  assert.equal(channel.pick(metadata)?.address, v4);
  channel.update([endpoint("10.0.0.3:80", { id: "pod" })]);
  assert.equal(channel.pick(metadata)?.address, v4, "the old one serves until the new one is there");
  channel.connect("10.0.0.3:80");
  assert.equal(channel.pick(metadata)?.address, "10.0.0.3:80");
  channel.balancer.destroy();
  assert.deepEqual(channel.held, {});
});

test("a child that was ejected before it connected has its connection", () => {
  const { channel, v4, v6, child } = single();
  for (const address of [v4, v6]) channel.at(address).setHealthy(false);
  channel.connect(v6);
  assert.equal(child().isReady, false);
  assert.equal(channel.pick(metadata)?.address, v6);
  assert.deepEqual(channel.held, { [v6]: 1 });
  channel.balancer.destroy();
});
