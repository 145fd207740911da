import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import type { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import type { Backend } from "../../../testing/backend.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { Probe } from "../../../testing/probe.ts";
import { call, Rig, turn, until, untilAllAnswer } from "../../../testing/rig.ts";
import { registerPoliciesIn, registerPolicy } from "../../registration/register.ts";
import type { LoadWeight } from "./load-weight.ts";
import { type WeightedRoundRobinConfig, weightedRoundRobin } from "./weighted-round-robin.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

/** The part of a reporting endpoint that the tests read. */
type Seen = Probe<
  WeightedRoundRobinConfig,
  { readonly weight: LoadWeight; readonly stream: { readonly end: AbortController } | undefined }
>;

const light: Partial<OrcaLoadReport> = { rpsFractional: 100, cpuUtilization: 0.2 };
const heavy: Partial<OrcaLoadReport> = { rpsFractional: 100, cpuUtilization: 0.4 };
let names = 0;

/** A rig that asserts after the test that no timer of a stream or of weights is left. */
function rigOf(t: TestContext): Rig {
  const rig = new Rig(t);
  t.after(() => assert.equal(clock.sleeping, 0, "waits that are left"));
  return rig;
}

/** Three connected servers, and a policy that requests streams of reports. */
async function reporting(t: TestContext, config: object = {}) {
  names += 1;
  const probe = new Probe(`reporting_${names}`, weightedRoundRobin);
  registerPolicy(probe.policy);
  const policy = (config: object) => ({
    [probe.policy.name]: { blackoutPeriod: "0s", enableOobLoadReport: true, ...config },
  });
  const rig = rigOf(t);
  const servers = await rig.start("a", "b", "c");
  rig.publish(servers);
  const client = rig.client(policy(config));
  await untilAllAnswer(client, ...servers);
  /** Publishes other servers, or another configuration. */
  const publish = (all: readonly Backend[], config: object = {}) =>
    rig.publish(all, { config: { loadBalancingConfig: [policy(config)], methodConfig: [] } } as Parameters<
      Rig["publish"]
    >[1]);
  /** Where calls go, one after the other. */
  const counts = async (calls: number) => {
    const counts: Record<string, number> = {};
    for (let n = 0; n < calls; n++) {
      const name = await call(client);
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  return { rig, servers, client, probe: probe as unknown as Seen, publish, counts };
}

/** Resolves when the policy uses a weight that this endpoint has reported. */
async function heard(probe: Seen, { name }: Backend, weight: number): Promise<void> {
  await until(() => {
    const { config, children = [] } = probe.input ?? {};
    const child = children.find(({ info }) => info.id === name);
    return config !== undefined && child?.endpointState.weight.at(clock.now(), config) === weight;
  }, `a weight of ${weight} of ${name}`);
  clock.advance(1_000); // the update period
  await turn();
}

test("reports arrive in one stream per connection, and determine the weights", async (t) => {
  const { servers, probe, counts } = await reporting(t, { oobReportingPeriod: "2.5s" });
  const [a, b, c] = servers;
  for (const { loads } of servers) await loads.opened(1);
  assert.deepEqual(
    servers.map(({ loads }) => loads.periodsMs),
    [[2_500], [2_500], [2_500]],
  );
  a.loads.send(light);
  b.loads.send(heavy);
  await heard(probe, a, 500);
  await heard(probe, b, 250);
  assert.deepEqual(await counts(90), { a: 40, b: 20, c: 30 }, "c has the mean");
  c.loads.send({ rpsFractional: 75, cpuUtilization: 0.1 });
  await heard(probe, c, 750);
  assert.deepEqual(await counts(60), { a: 20, b: 10, c: 30 });
});

test("the stream of an endpoint that leaves ends, and the others' stay", async (t) => {
  const { servers, publish } = await reporting(t);
  const [a, b, c] = servers;
  for (const { loads } of servers) await loads.opened(1);
  publish([a, c]);
  await b.loads.opened(0);
  assert.deepEqual(
    [a, c].map(({ loads }) => [loads.open, loads.periodsMs.length]),
    [
      [1, 1],
      [1, 1],
    ],
  );
});

test("all streams end with the client", async (t) => {
  const { servers, client } = await reporting(t);
  for (const { loads } of servers) await loads.opened(1);
  client.close();
  for (const { loads } of servers) await loads.opened(0);
});

test("the stream ends when its endpoint disconnects, and the next connection has a new one", async (t) => {
  const { rig, servers, client, probe } = await reporting(t);
  const [a, b, c] = servers;
  await b.loads.opened(1);
  const ofB = () => probe.input?.children.find(({ info }) => info.id === "b");
  const stream = ofB()?.endpointState.stream;
  b.kill();
  await until(() => ofB()?.isReady === false, "b has lost its connection");
  assert.equal(stream?.end.signal.aborted, true);
  assert.equal(ofB()?.endpointState.stream, undefined);
  assert.equal(clock.sleeping, 1, "the timer is that of the weights: no stream to b will be restarted");
  const back = await rig.restart(b);
  await untilAllAnswer(client, a, back, c);
  await back.loads.opened(1);
  back.loads.send(heavy);
  await heard(probe, back, 250);
});

test("while reports come in streams, those in trailers are ignored", async (t) => {
  const { servers, probe, counts } = await reporting(t);
  const [a, b] = servers;
  for (const { loads } of servers) await loads.opened(1);
  for (const server of servers) server.loads.withCalls({ rpsFractional: 1_000, cpuUtilization: 0.1 });
  await counts(10);
  a.loads.send(light);
  b.loads.send(heavy);
  await heard(probe, a, 500);
  await heard(probe, b, 250);
  assert.deepEqual(await counts(90), { a: 40, b: 20, c: 30 });
});

test("the configuration switches between streams, reports with calls, and static weights", async (t) => {
  const { servers, probe, publish, counts } = await reporting(t);
  const [a, b, c] = servers;
  for (const { loads } of servers) await loads.opened(1);
  a.loads.send(light);
  b.loads.send(heavy);
  await heard(probe, a, 500);
  await heard(probe, b, 250);

  publish(servers, { source: "static" });
  for (const { loads } of servers) await loads.opened(0);
  assert.deepEqual(await counts(30), { a: 10, b: 10, c: 10 }, "static");
  assert.equal(clock.sleeping, 0, "nothing to wait for");

  publish(servers, { enableOobLoadReport: false });
  assert.deepEqual(await counts(90), { a: 40, b: 20, c: 30 }, "what was reported has not expired");
  c.loads.withCalls({ rpsFractional: 75, cpuUtilization: 0.1 });
  await counts(30);
  await heard(probe, c, 750);
  assert.deepEqual(await counts(60), { a: 20, b: 10, c: 30 }, "with calls");
  assert.deepEqual(
    servers.map(({ loads }) => [loads.open, loads.periodsMs.length]),
    servers.map(() => [0, 1]),
  );

  publish(servers, { oobReportingPeriod: "3s" });
  for (const { loads } of servers) await loads.opened(1);
  assert.deepEqual(a.loads.periodsMs, [10_000, 3_000]);
});

test("a stream that is aborted in the turn that requested it does not start", async (t) => {
  const { servers, publish } = await reporting(t, { source: "static" });
  publish(servers);
  publish(servers, { source: "static" });
  for (let n = 0; n < 3; n++) await turn();
  publish(servers, { oobReportingPeriod: "3s" });
  for (const { loads } of servers) await loads.opened(1);
  for (const { loads } of servers) assert.deepEqual(loads.periodsMs, [3_000]);
});

test("a stream that is aborted while it starts ends with its first report at the latest", async (t) => {
  const { servers, publish } = await reporting(t, { source: "static" });
  publish(servers);
  await turn();
  publish(servers, { source: "static" });
  await until(() => servers.every(({ loads }) => loads.periodsMs.length === 1), "all are asked");
  for (const { loads } of servers) {
    loads.send(light);
    await loads.opened(0);
  }
});

test("a new period is requested with a new stream", async (t) => {
  const { servers, publish } = await reporting(t);
  const [a] = servers;
  for (const { loads } of servers) await loads.opened(1);
  publish(servers, { oobReportingPeriod: "3s" });
  await until(() => a.loads.periodsMs.length === 2, "another stream");
  await a.loads.opened(1);
  assert.deepEqual(a.loads.periodsMs, [10_000, 3_000]);
});

test("an endpoint that has moved to another address has its stream to that address", async (t) => {
  const { rig, servers } = await reporting(t);
  const [a, b] = servers;
  for (const { loads } of servers) await loads.opened(1);
  rig.publish([a]);
  await b.loads.opened(0);
  rig.target.publish([{ ...a.endpoint, addresses: b.endpoint.addresses }]);
  await b.loads.opened(1);
  await a.loads.opened(0);
});

test("a new list, or a configuration with the same period, keeps the streams", async (t) => {
  const { servers, publish, client, probe } = await reporting(t);
  for (const { loads } of servers) await loads.opened(1);
  const streams = () => probe.input?.children.map(({ endpointState }) => endpointState.stream);
  const before = streams();
  publish([...servers].reverse());
  assert.equal(probe.input?.children[0]?.info.id, "c", "the list is taken");
  assert.deepEqual(streams(), before?.reverse());
  publish(servers, { blackoutPeriod: "1s", errorUtilizationPenalty: 2 });
  assert.equal(probe.input?.config.blackoutPeriodMs, 1_000);
  assert.deepEqual(streams(), before?.reverse(), "nor does it matter how reports are read");
  await untilAllAnswer(client, ...servers);
  for (const { name, loads } of servers) assert.deepEqual([loads.open, loads.periodsMs], [1, [10_000]], name);
});

test("an update that puts new objects around the connections keeps the streams", async (t) => {
  const rig = rigOf(t);
  const probe = new Probe("reporting_wrapped", weightedRoundRobin);
  registerPolicy(probe.policy);
  const servers = await rig.start("a", "b");
  const publish = (generation: number) =>
    rig.publish(servers, { attributes: { "grpc.internal.no_subchannel.test": generation } });
  publish(1);
  const childPolicy = [{ [probe.policy.name]: { enableOobLoadReport: true } }];
  const client = rig.client({ outlier_detection: { childPolicy } });
  await untilAllAnswer(client, ...servers);
  for (const { loads } of servers) await loads.opened(1);
  const connections = () => probe.input?.children.map(({ connected }) => connected);
  const streams = () => probe.input?.children.map(({ endpointState }) => endpointState.stream);
  const before = { connections: connections(), streams: streams() };
  publish(2);
  assert.ok(connections()?.[0] !== before.connections?.[0], "the objects are new");
  const kept = streams()?.map((stream, n) => stream !== undefined && stream === before.streams?.[n]);
  assert.deepEqual(kept, [true, true]);
});

test("servers that do not implement reports have equal shares, and are called once", async (t) => {
  const rig = rigOf(t);
  const servers = await rig.start("a", "b", "c");
  for (const { loads } of servers) loads.refuse(status.UNIMPLEMENTED);
  rig.publish(servers);
  const client = rig.client({ weighted_round_robin: { enableOobLoadReport: true } });
  await untilAllAnswer(client, ...servers);
  await until(() => servers.every(({ loads }) => loads.periodsMs.length === 1), "all are asked");
  clock.advance(600_000);
  await turn();
  const counts: Record<string, number> = {};
  for (let n = 0; n < 30; n++) {
    const name = await call(client);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  assert.deepEqual(counts, { a: 10, b: 10, c: 10 });
  assert.deepEqual(
    servers.map(({ loads }) => loads.periodsMs.length),
    [1, 1, 1],
  );
});
