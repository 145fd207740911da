import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import type { RegisteredService } from "../../testing/consul/fake-store.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { type ConsulSourceOptions, createConsulSource } from "./source.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await assertNothingLeft();
});

const web = (n: number, rest: Partial<RegisteredService> = {}): RegisteredService => ({
  ID: `web-${n}`,
  Name: "web",
  Address: `10.0.0.${n}`,
  Port: 80,
  ...rest,
});
const at = (...ns: readonly number[]) => ns.map((n) => `10.0.0.${n}:80`);

async function start(...services: readonly RegisteredService[]) {
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  for (const each of services) agent.put(each);
  const create = (options: Partial<ConsulSourceOptions> = {}) =>
    createConsulSource({ agent: agent.address, service: "web", credentials: {}, ...options });
  const read = (options: Partial<ConsulSourceOptions> = {}) => {
    const reader = new SnapshotReader(create(options));
    ends.push(() => reader.close());
    return reader;
  };
  return { agent, create, read, words: `consul: read service web: 127.0.0.1:${agent.address.port}` };
}

const isFailing = ({ error }: { readonly error: unknown }) => error !== undefined;

const asked: readonly [Partial<ConsulSourceOptions>, string][] = [
  [{}, "passing="],
  [{ healthy: false }, ""],
  [{ tags: ["v1", "a&b"] }, "passing=&tag=v1&tag=a%26b"],
  [{ near: "_agent", dc: "eu west", allowStale: true }, "passing=&near=_agent&dc=eu+west&stale="],
];
for (const [options, query] of asked) {
  test(`${JSON.stringify(options)} asks with "${query}"`, async () => {
    const { agent, read } = await start();
    await read({ service: "a b", ...options }).until("a set", () => true);
    const [request] = agent.requests;
    assert.deepEqual([request?.path, request?.query.toString()], ["/v1/health/service/a b", query]);
  });
}

test("instances that do not pass are left out, and with healthy=false weighed by their state", async () => {
  const weights = { Weights: { Passing: 4, Warning: 2 } };
  const { agent, read } = await start(web(1, weights), web(2, weights), web(3, weights));
  agent.setStatus("web-2", "warning");
  agent.setStatus("web-3", "critical");
  await read().untilAddresses(...at(1));
  const { endpoints } = await read({ healthy: false }).untilAddresses(...at(1, 2, 3));
  assert.deepEqual(
    endpoints?.map(({ weight }) => weight),
    [4, 2, 0],
  );
});

test("Consul's order is kept with near, else it is that of the ids; and the limit cuts behind the order", async () => {
  const { agent, read } = await start(web(3), web(1), web(2));
  const addresses = async (options: Partial<ConsulSourceOptions>) => {
    const reader = read(options);
    await reader.until("a set", ({ endpoints }) => endpoints !== undefined);
    return reader.addresses;
  };
  assert.deepEqual(await addresses({}), at(1, 2, 3));
  assert.deepEqual(await addresses({ near: "_agent" }), at(3, 1, 2));
  assert.deepEqual(await addresses({ limit: 2 }), at(1, 2));
  assert.deepEqual(await addresses({ near: "_agent", limit: 1 }), at(3));
  const [all, first] = [read(), read({ limit: 1 })];
  await first.untilAddresses(...at(1));
  agent.remove("web-3");
  await all.untilAddresses(...at(1, 2));
  assert.equal(first.snapshots.length, 1, "what changes behind the limit is no news");
  agent.remove("web-1");
  await first.untilAddresses(...at(2));
});

test("whoever asks for the same shares one query, which ends with the last reader; its stats outlive it", async () => {
  const { agent, create, read } = await start(web(1));
  const source = create();
  const none = source.stats;
  assert.equal(none, undefined);
  const readers = [new SnapshotReader(source), read(), read({ limit: 1 })] as const;
  for (const reader of readers) await reader.untilAddresses(...at(1));
  await agent.until(({ waiting }) => waiting === 1);
  assert.deepEqual([agent.counts.requests, agent.counts.connections], [2, 1]);
  const other = read({ healthy: false });
  await agent.until(({ waiting }) => waiting === 2);
  await Promise.all([...readers, other].map((reader) => reader.close()));
  await agent.until(({ connections }) => connections === 0);
  assert.deepEqual([source.stats?.lists, source.stats?.watches, source.stats?.errors.unavailable], [1, 1, 0]);
  assert.ok((source.stats?.lastSyncAgeMs ?? -1) >= 0);
  agent.remove("web-1");
  const again = new SnapshotReader(source);
  await again.untilAddresses();
  assert.equal(again.snapshots.length, 1, "what was true then is not told");
  await again.close();
});

for (const [what, body] of [
  ["broken JSON", '[{"Node":'],
  ["no list", '{"error":"x"}'],
  ["null", "null"],
  ["a page", "<html>proxy</html>"],
] as const) {
  test(`an answer that is ${what} is an error and no empty set`, async () => {
    const { agent, read, words } = await start(web(1));
    const reader = read();
    await reader.untilAddresses(...at(1));
    agent.answerWith(body);
    const { error, endpoints } = await reader.until("an error", isFailing);
    assert.deepEqual([error?.code, endpoints?.length], ["unavailable", 1]);
    assert.ok(error?.message.startsWith(`${words}: the answer cannot be read: `), error?.message);
    await reader.until("no error", ({ error }) => !error);
  });
}

test("a cluster without a leader, a refused connection: the set stays, and the words say who, what and to what", async () => {
  const { agent, read, words } = await start(web(1));
  const reader = read();
  await reader.untilAddresses(...at(1));
  agent.refuse(500, "No cluster leader");
  const { error } = await reader.until("an error", isFailing);
  assert.equal(error?.message, `${words}: 500 Internal Server Error: No cluster leader`);
  assert.deepEqual(reader.addresses, at(1));
  const port = await closedPort();
  const refused = read({ agent: { host: "127.0.0.1", port } });
  const { error: told, endpoints } = await refused.until("an error", isFailing);
  assert.deepEqual([told?.code, endpoints], ["unavailable", undefined]);
  assert.equal(told?.message, `consul: read service web: 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
});

test("the token is sent as a header alone, and is not told, whatever Consul says", async () => {
  const { agent, read, words } = await start();
  agent.refuse(403, "Permission denied: token 5ecret lacks permission 'service:read' on \"web\"");
  const { error } = await read({ credentials: { token: "5ecret" } }).until("an error", isFailing);
  const needs = 'service:read on "web" and node:read on the nodes of its instances';
  const said = `403 Forbidden: Permission denied: token … lacks permission 'service:read' on "web"`;
  assert.deepEqual([error?.code, error?.message], ["permissionDenied", `${words}: ${said}; the token needs ${needs}`]);
  assert.deepEqual(new Set(agent.requests.map(({ token }) => token)), new Set(["5ecret"]));
  assert.ok(agent.requests.every(({ path, query }) => !`${path}?${query}`.includes("5ecret")));
});

test("what the token may not see any more is an error beside the last set; without a token Consul does not say so", async () => {
  const { agent, read } = await start(web(1));
  const reader = read({ credentials: { token: "weak" } });
  await reader.untilAddresses(...at(1));
  agent.hide();
  const { error, endpoints } = await reader.until("an error", isFailing);
  assert.deepEqual([error?.code, endpoints?.length], ["permissionDenied", 1]);
  assert.match(
    error?.message ?? "",
    /the token may not see the instances; the token needs service:read on "web" and node:read/,
  );
  const anonymous = await read().until("an error", isFailing);
  assert.deepEqual([anonymous.error?.code, anonymous.endpoints], ["permissionDenied", []]);
  agent.hide(false);
  await reader.until("no error", ({ error }) => !error);
});

test("instances without a port are none, and that is said", async () => {
  const { agent, read, words } = await start(web(1, { Port: 0 }), web(2, { Port: 0 }));
  const reader = read();
  const { error, endpoints } = await reader.until("an error", isFailing);
  assert.deepEqual(
    [error?.code, error?.message, endpoints],
    ["portNotFound", `${words}: none of its 2 instances has a host and a port`, []],
  );
  agent.put(web(3));
  const { error: none } = await reader.untilAddresses(...at(3));
  assert.equal(none, undefined);
});

test("what an agent whose index went back does not tell is served for a while, and what it tells is believed at once", async () => {
  const clock = new ManualClock();
  const { agent, read } = await start(web(1), web(2));
  const reader = read({ clock, random: () => 0, doubtMs: 5_000 });
  await reader.untilAddresses(...at(1, 2));
  await clock.asleep();
  clock.advance(50); // the floor
  await agent.until(({ waiting }) => waiting === 1);
  agent.forget();
  agent.put(web(3));
  agent.setIndex(5);
  await reader.untilAddresses(...at(1, 2, 3));
  assert.equal(reader.last?.error, undefined);
  await clock.asleep(2); // the doubt, and the floor
  clock.advance(50);
  await agent.until(({ requests }) => requests === 3); // for what there is
  await clock.asleep(2);
  clock.advance(50);
  await agent.until(({ waiting }) => waiting === 1);
  agent.put(web(2));
  agent.put(web(4));
  await reader.untilAddresses(...at(1, 2, 3, 4));
  await clock.asleep(2);
  clock.advance(4_899);
  await agent.until(({ waiting }) => waiting === 1);
  assert.equal(reader.addresses?.length, 4);
  clock.advance(1);
  await reader.untilAddresses(...at(2, 3, 4));
  agent.remove("web-2");
  await reader.untilAddresses(...at(3, 4));
});

test("what is missing after a failure is served for a while, however little; a doubt that ends in a failure takes nothing", async () => {
  const clock = new ManualClock();
  const { agent, read } = await start(web(1), web(2), web(3));
  const reader = read({ clock, random: () => 0, doubtMs: 5_000 });
  const isAnswered = () => reader.until("no error", ({ error }) => !error);
  const fail = async () => {
    agent.refuse(500, "No cluster leader");
    await reader.until("an error", isFailing);
    agent.accept();
  };
  const advanceUntil = async (holds: () => boolean) => {
    for (; !holds(); clock.advance(1)) await new Promise((resolve) => setImmediate(resolve));
  };
  await reader.untilAddresses(...at(1, 2, 3));
  await advanceUntil(() => agent.counts.waiting === 1);
  await fail();
  agent.remove("web-3");
  await advanceUntil(() => !reader.last?.error && agent.counts.waiting === 1);
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  await fail();
  agent.freeze();
  clock.advance(5_000); // the doubt is over
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  agent.thaw();
  await advanceUntil(() => !reader.last?.error && agent.counts.waiting === 1);
  await isAnswered();
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  clock.advance(5_000);
  await reader.untilAddresses(...at(1, 2));
});

test("what cannot be is refused", () => {
  const agent = { host: "127.0.0.1", port: 8500 };
  const wrong: readonly [Partial<ConsulSourceOptions>, RegExp][] = [
    [{ service: "" }, /^service must not be empty/],
    [{ near: "" }, /^near must not be empty/],
    [{ dc: "" }, /^dc must not be empty/],
    [{ tags: ["a", ""] }, /^tags must not be empty/],
    [{ waitMs: 0 }, /^waitMs must be > 0 and <= 600000, got 0/],
    [{ waitMs: 600_001 }, /^waitMs/],
    [{ limit: 0 }, /^limit must be a whole number >= 1, got 0/],
    [{ limit: 1.5 }, /^limit/],
    [{ answerTimeoutMs: 0 }, /^answerTimeoutMs/],
    [{ doubtMs: -1 }, /^doubtMs/],
    [{ agent: { host: "[::1]", port: 1 } }, /^agent\.host/],
  ];
  for (const [options, message] of wrong) {
    const create = () => createConsulSource({ agent, service: "web", credentials: {}, ...options });
    assert.throws(create, { name: "RangeError", message });
  }
});
