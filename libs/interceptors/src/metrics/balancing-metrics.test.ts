import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { type TestContext, test } from "node:test";
import { MetricRecorder } from "../../testing/index.ts";
import { channels } from "./balancing-messages.ts";
import { observeBalancingIn } from "./balancing-metrics.ts";

const target = "kubernetes:///server";
const policy = "least_request";
const [a, b] = ["10.0.0.1:80", "10.0.0.2:80"].map((address) => ({ id: address, address }));
const [one, two] = [Symbol("one"), Symbol("two")];
const labels = { "grpc.target": target, "grpc.lb.policy": policy };

function start(t: TestContext) {
  const recorder = new MetricRecorder();
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const observation = observeBalancingIn({ meter: recorder.meter }, clock);
  t.after(() => observation.close());
  const publish = (name: keyof typeof channels, message: object) =>
    channel(channels[name]).publish({ target, policy, instance: one, ...message });
  const values = async (name: string) =>
    (await recorder.points(name)).map(({ attributes, value }) => [attributes, value] as const);
  return { publish, values, clock, observation };
}

test("picks are counted by endpoint, and an endpoint that has left is forgotten", async (t) => {
  const { publish, values } = start(t);
  publish("update", { endpoints: [a, b] });
  for (const endpoint of [a, a, b]) publish("pick", { endpoint });
  assert.deepEqual(await values("grpc.lb.picks"), [
    [{ ...labels, "grpc.lb.endpoint": a?.address }, 2],
    [{ ...labels, "grpc.lb.endpoint": b?.address }, 1],
  ]);
  publish("update", { endpoints: [b] });
  for (const endpoint of [a, b]) publish("pick", { endpoint });
  assert.deepEqual(
    (await values("grpc.lb.picks")).map(([, count]) => count),
    [1, 2],
    "the counter of an endpoint that comes back starts anew",
  );
  assert.deepEqual(await values("grpc.lb.policy.updates"), [[labels, 2]]);
});

test("known and ready endpoints follow updates, connections and ejections", async (t) => {
  const { publish, values } = start(t);
  const state = async () =>
    Object.fromEntries(
      (await values("grpc.lb.endpoints")).map(([attributes, value]) => [attributes["grpc.lb.endpoint.state"], value]),
    );
  publish("update", { endpoints: [a, b] });
  assert.deepEqual(await state(), { known: 2, ready: 0 });
  for (const endpoint of [a, b]) publish("connection", { endpoint, isOpen: true });
  assert.deepEqual(await state(), { known: 2, ready: 2 });
  publish("ejection", { endpoint: a, isEjected: true });
  assert.deepEqual(await state(), { known: 2, ready: 1 });
  publish("ejection", { endpoint: a, isEjected: false });
  publish("connection", { endpoint: b, isOpen: false });
  assert.deepEqual(await state(), { known: 2, ready: 1 });
});

test("a channel that is closed or idle knows no endpoints, and its picks go on when it balances again", async (t) => {
  const { publish, values } = start(t);
  const endpoints = async () => (await values("grpc.lb.endpoints")).map(([, value]) => value);
  for (const instance of [one, two]) {
    publish("update", { instance, endpoints: [a] });
    publish("connection", { endpoint: a, isOpen: true });
  }
  publish("pick", { endpoint: a });
  publish("connection", { endpoint: a, isOpen: false });
  publish("policyEnd", { instance: one });
  assert.deepEqual(await endpoints(), [1, 1], "the other channel goes on");
  publish("connection", { endpoint: a, isOpen: false });
  publish("policyEnd", { instance: two });
  publish("policyEnd", { target: "static:///a", instance: Symbol("one that never balanced") });
  assert.deepEqual(await endpoints(), [0, 0]);
  publish("update", { instance: Symbol("three"), endpoints: [a] });
  publish("pick", { endpoint: a });
  assert.deepEqual(await endpoints(), [1, 0]);
  assert.deepEqual(await values("grpc.lb.picks"), [[{ ...labels, "grpc.lb.endpoint": a?.address }, 2]]);
});

test("of the targets that no channel uses any more, the last 100 are kept", async (t) => {
  const { publish, values } = start(t);
  publish("update", { endpoints: [a] });
  publish("pick", { endpoint: a });
  for (let n = 0; n < 150; n++) {
    const message = { target: `static:///${n}`, instance: Symbol() };
    publish("update", { ...message, endpoints: [a] });
    publish("pick", { ...message, endpoint: a });
    publish("policyEnd", message);
  }
  const picks = await values("grpc.lb.picks");
  assert.equal(picks.length, 101);
  assert.deepEqual(
    [0, 1, 100].map((n) => picks[n]?.[0]["grpc.target"]),
    [target, "static:///50", "static:///149"],
  );
});

test("a snapshot has no age while its source is heard, and then grows old", async (t) => {
  const { publish, values, clock } = start(t);
  publish("snapshot", { snapshot: { lastSyncMs: 1_000, error: undefined } });
  clock.nowMs = 61_000;
  assert.deepEqual(await values("grpc.lb.resolver.snapshot.age"), [[{ "grpc.target": target }, 0]]);
  publish("snapshot", { snapshot: { lastSyncMs: 1_000, error: new Error() } });
  assert.deepEqual(await values("grpc.lb.resolver.snapshot.age"), [[{ "grpc.target": target }, 60]]);
});

for (const kind of ["resolver", "dispatcher"] as const) {
  test(`a ${kind} that ends has no age, once no other uses its target`, async (t) => {
    const { publish, values, clock } = start(t);
    const name = kind === "resolver" ? "snapshot" : "dispatcherSnapshot";
    const snapshot = { subject: "service default/server", lastSyncMs: 0, error: new Error() };
    const ages = async () =>
      Object.fromEntries(
        (await values("grpc.lb.resolver.snapshot.age")).map(([attributes, age]) => [attributes["grpc.target"], age]),
      );
    clock.nowMs = 60_000;
    for (const instance of [one, two]) publish(name, { instance, snapshot });
    publish(name, { target: undefined, instance: one, snapshot });
    assert.deepEqual(await ages(), { [target]: 60, [snapshot.subject]: 60 });
    publish(`${kind}End`, { instance: one });
    assert.deepEqual(await ages(), { [target]: 60, [snapshot.subject]: 0 });
    publish(`${kind}End`, { instance: two });
    assert.deepEqual(await ages(), { [target]: 0, [snapshot.subject]: 0 });
  });
}

test("resolver errors are counted by kind", async (t) => {
  const { publish, values } = start(t);
  for (const code of ["unavailable", "permissionDenied", "unavailable"]) publish("error", { error: { code } });
  assert.deepEqual(await values("grpc.lb.resolver.errors"), [
    [{ "grpc.target": target, "grpc.lb.resolver.error": "unavailable" }, 2],
    [{ "grpc.target": target, "grpc.lb.resolver.error": "permissionDenied" }, 1],
  ]);
});

test("a target that grpc-js does not tell a policy is unknown", async (t) => {
  const { publish, values } = start(t);
  publish("update", { endpoints: [a], target: undefined });
  const [[attributes] = [{}]] = await values("grpc.lb.policy.updates");
  assert.deepEqual(attributes, { ...labels, "grpc.target": "unknown" });
});

test("after close nothing is observed", async (t) => {
  const { publish, values, observation } = start(t);
  observation.close();
  publish("update", { endpoints: [a] });
  publish("pick", { endpoint: a });
  for (const name of ["grpc.lb.picks", "grpc.lb.policy.updates", "grpc.lb.endpoints"])
    assert.deepEqual(await values(name), []);
});
