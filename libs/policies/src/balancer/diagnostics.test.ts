import assert from "node:assert/strict";
import { channel as channelOf, subscribe, unsubscribe } from "node:diagnostics_channel";
import { before, type TestContext, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { targetOption } from "@grpc-lb/discovery";
import { closeChannel, endpoints, openChannel, spread } from "../../testing/fake-calls.ts";
import { endpoint, FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { connectivityState, type GrpcEndpoint } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";
import {
  type ConnectionMessage,
  type EjectionMessage,
  type PickMessage,
  type PolicyEndMessage,
  policyChannels,
  type UpdateMessage,
} from "./diagnostics.ts";

const clock = new ManualClock();
before(() => registerPoliciesIn({ clock, random: createRandom(1), ...noWaits }));

/** All messages of a diagnostics channel from now until the test's end. */
function collect<Message>(t: TestContext, name: string): Message[] {
  const messages: Message[] = [];
  const listener = (message: unknown) => messages.push(message as Message);
  subscribe(name, listener);
  t.after(() => unsubscribe(name, listener));
  return messages;
}

test("a pick is published with the target, the policy and the endpoint that takes the call", (t) => {
  const picks = collect<PickMessage>(t, policyChannels.pick);
  const channel = new FakeChannel({ random: {} });
  const info = { id: "pod-1", weight: 3, zone: "a", metadata: { podName: "api-1" } };
  channel.update([endpoint("10.0.0.1:80", info)], undefined, { [targetOption]: "kubernetes:///api:grpc" });
  channel.connect();
  channel.pick(new Metadata());
  assert.deepEqual(picks, [
    {
      target: "kubernetes:///api:grpc",
      policy: "random",
      endpoint: { ...info, forZones: [], address: "10.0.0.1:80" },
    },
  ]);
  closeChannel(channel, clock);
});

test("with a resolver that hands on no target, messages have none", (t) => {
  const picks = collect<PickMessage>(t, policyChannels.pick);
  const channel = openChannel({ random: {} }, endpoints(1));
  channel.pick(new Metadata());
  assert.deepEqual(
    picks.map(({ target }) => target),
    [undefined],
  );
  closeChannel(channel, clock);
});

test("connections are published as they open and close, also when an endpoint leaves or the channel is closed", (t) => {
  const messages = collect<ConnectionMessage>(t, policyChannels.connection);
  const taken = () =>
    messages.splice(0).map(({ endpoint, isOpen }) => `${endpoint.address} ${isOpen ? "open" : "closed"}`);
  const [a, b] = endpoints(2) as [GrpcEndpoint, GrpcEndpoint];
  const channel = openChannel({ least_request: {} }, [a, b]);
  assert.deepEqual(taken(), ["10.0.0.1:80 open", "10.0.0.2:80 open"]);
  channel.at("10.0.0.1:80").become(connectivityState.IDLE);
  assert.deepEqual(taken(), ["10.0.0.1:80 closed"]);
  channel.update([a]);
  assert.deepEqual(taken(), ["10.0.0.2:80 closed"]);
  channel.connect("10.0.0.1:80");
  closeChannel(channel, clock);
  assert.deepEqual(taken(), ["10.0.0.1:80 open", "10.0.0.1:80 closed"]);
});

test("an ejection is published when outlier_detection ejects an endpoint and when it takes it back", (t) => {
  const ejections = collect<EjectionMessage>(t, policyChannels.ejection);
  const connections = collect<ConnectionMessage>(t, policyChannels.connection);
  const channel = openChannel({ random: {} }, endpoints(2));
  connections.length = 0;
  channel.at("10.0.0.1:80").setHealthy(false);
  channel.at("10.0.0.1:80").setHealthy(true);
  assert.deepEqual(
    ejections.map(({ endpoint, isEjected }) => [endpoint.address, isEjected]),
    [
      ["10.0.0.1:80", true],
      ["10.0.0.1:80", false],
    ],
  );
  assert.deepEqual(connections, [], "an ejection closes no connection");
  closeChannel(channel, clock);
});

test("an update is published with the configuration and all endpoints", (t) => {
  const updates = collect<UpdateMessage>(t, policyChannels.update);
  const channel = openChannel({ random: {} }, endpoints(2));
  channel.update(endpoints(1), { random: { panicThreshold: 50 } });
  assert.deepEqual(
    updates.map(({ policy, config, endpoints }) => [policy, config, endpoints.map(({ address }) => address)]),
    [
      ["random", { panicThreshold: 0 }, ["10.0.0.1:80", "10.0.0.2:80"]],
      ["random", { panicThreshold: 50 }, ["10.0.0.1:80"]],
    ],
  );
  closeChannel(channel, clock);
});

test("the end of an instance is published after its connections, with the identity of its updates", (t) => {
  const updates = collect<UpdateMessage>(t, policyChannels.update);
  const events = [policyChannels.end, policyChannels.connection].map((name) => collect<PolicyEndMessage>(t, name));
  const [ends, connections] = events as [PolicyEndMessage[], object[]];
  const [first, second] = [openChannel({ random: {} }, endpoints(2)), openChannel({ random: {} }, endpoints(2))];
  const order: number[] = [];
  const count = () => order.push(connections.length);
  subscribe(policyChannels.end, count);
  t.after(() => unsubscribe(policyChannels.end, count));
  closeChannel(first, clock);
  closeChannel(second, clock);
  assert.deepEqual(
    ends.map(({ policy, target, instance }) => [policy, target, instance]),
    updates.map(({ policy, target, instance }) => [policy, target, instance]),
  );
  assert.notEqual(ends[0]?.instance, ends[1]?.instance);
  assert.deepEqual(order, [6, 8], "four connections opened; each end comes after two were closed");
});

test("without a subscriber nothing is published, and no message is created for it", (t) => {
  const publish = Object.values(policyChannels).map((name) => t.mock.method(channelOf(name), "publish"));
  const channel = openChannel({ random: {} }, endpoints(2));
  spread(channel, 100);
  channel.at("10.0.0.1:80").setHealthy(false);
  channel.at("10.0.0.2:80").become(connectivityState.IDLE);
  closeChannel(channel, clock);
  assert.deepEqual(
    publish.map(({ mock }) => mock.callCount()),
    [0, 0, 0, 0, 0],
  );
});
