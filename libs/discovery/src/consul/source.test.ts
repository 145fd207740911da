import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { assertNothingLeft, closedPort, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import type { RegisteredService } from "../../testing/consul/fake-store.ts";
import { sourceIn } from "../../testing/context.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { type ConsulSourceOptions, defineConsulSource } from "./source.ts";

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
  const create = (options: Partial<ConsulSourceOptions & Context> = {}) =>
    sourceIn(defineConsulSource, { agent: agent.address, service: "web", credentials: {}, ...options });
  const read = (options: Partial<ConsulSourceOptions & Context> = {}) => {
    const reader = new SnapshotReader(create(options));
    ends.push(() => reader.close());
    return reader;
  };
  return { agent, create, read, words: `consul: read service web: 127.0.0.1:${agent.address.port}` };
}

const isFailing = ({ error }: { readonly error: unknown }) => error !== undefined;

const queries: readonly [Partial<ConsulSourceOptions & Context>, string][] = [
  [{}, "passing="],
  [{ healthy: false }, ""],
  [{ tags: ["v1", "a&b"] }, "passing=&tag=v1&tag=a%26b"],
  [{ near: "_agent", dc: "eu west", allowStale: true }, "passing=&near=_agent&dc=eu+west&stale="],
  [{ namespace: "team", partition: "eu" }, "passing=&ns=team&partition=eu"],
];
for (const [options, query] of queries) {
  test(`the query of ${JSON.stringify(options)} is "${query}"`, async () => {
    const { agent, read } = await start();
    await read({ service: "a b", ...options }).until("a set", () => true);
    const [request] = agent.requests;
    assert.deepEqual([request?.path, request?.query.toString()], ["/v1/health/service/a b", query]);
  });
}

test("CONSUL_NAMESPACE and CONSUL_PARTITION are the defaults", async (t) => {
  Object.assign(process.env, { CONSUL_NAMESPACE: "team", CONSUL_PARTITION: "eu" });
  t.after(() => {
    delete process.env.CONSUL_NAMESPACE;
    delete process.env.CONSUL_PARTITION;
  });
  const { agent, read } = await start();
  await read({ partition: "us" }).until("a set", () => true);
  assert.equal(agent.requests[0]?.query.toString(), "passing=&ns=team&partition=us");
});

test("instances that do not pass are left out; with healthy=false a critical one is used only while there is no other", async () => {
  const weights = { Weights: { Passing: 4, Warning: 2 } };
  const { agent, read } = await start(web(1, weights), web(2, weights), web(3, weights));
  agent.setStatus("web-2", "warning");
  agent.setStatus("web-3", "critical");
  await read().untilAddresses(...at(1));
  const reader = read({ healthy: false });
  const { endpoints } = await reader.untilAddresses(...at(1, 2));
  assert.deepEqual(
    endpoints?.map(({ weight }) => weight),
    [4, 2],
  );
  agent.setStatus("web-1", "critical");
  agent.setStatus("web-2", "critical");
  await reader.untilAddresses(...at(1, 2, 3));
  agent.setStatus("web-3", "passing");
  await reader.untilAddresses(...at(3));
});

test("one address is one endpoint, also in two spellings and under two ids; the passing instance precedes a critical one", async () => {
  const { agent, read } = await start(
    web(1, { Address: "fd00::1" }),
    web(2, { Address: "FD00:0:0:0::1" }),
    web(3, { Address: "[fd00::1]" }),
  );
  agent.setStatus("web-1", "critical");
  agent.setStatus("web-3", "critical");
  const reader = read({ healthy: false });
  const { endpoints } = await reader.untilAddresses("fd00::1:80");
  assert.deepEqual(
    endpoints?.map(({ id }) => id),
    ["fake/web-2"],
  );
});

test("Consul's order is kept with near, else it is that of the ids; the limit is applied to the ordered endpoints", async () => {
  const { agent, read } = await start(web(3), web(1), web(2));
  const addresses = async (options: Partial<ConsulSourceOptions & Context>) => {
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
  assert.equal(first.snapshots.length, 1, "a change beyond the limit is not published");
  agent.remove("web-1");
  await first.untilAddresses(...at(2));
});

test("the limit counts neither a second id of an address nor a critical instance among passing ones", async () => {
  const { agent, read } = await start(web(1), web(2, { Address: "10.0.0.1" }), web(3), web(4), web(5));
  agent.setStatus("web-3", "critical");
  await read({ limit: 2, healthy: false }).untilAddresses(...at(1, 4));
});

test("sources of the same query share it until the last reader ends; the stats outlive it", async () => {
  const { agent, create, read } = await start(web(1));
  const source = create();
  assert.deepEqual([source.stats.lists, source.stats.lastSyncAgeMs], [0, undefined]);
  const readers = [new SnapshotReader(source), read(), read({ tags: [] })] as const;
  for (const reader of readers) await reader.untilAddresses(...at(1));
  await agent.until(({ waiting }) => waiting === 1);
  assert.deepEqual([agent.counts.requests, agent.counts.connections], [2, 1]);
  const others = [read({ healthy: false }), read({ limit: 1 })];
  await agent.until(({ waiting }) => waiting === 3);
  await Promise.all([...readers, ...others].map((reader) => reader.close()));
  await agent.until(({ connections }) => connections === 0);
  const { lists, watches, events, errors, lastSyncAgeMs = -1 } = source.stats;
  assert.deepEqual([lists, watches, events, errors.unavailable], [1, 1, 0, 0]);
  assert.ok(lastSyncAgeMs >= 0);
  agent.remove("web-1");
  const again = new SnapshotReader(source);
  await again.untilAddresses();
  assert.equal(again.snapshots.length, 1, "the old snapshot is not published");
  await again.close();
});

for (const [what, body] of [
  ["broken JSON", '[{"Node":'],
  ["an object", '{"error":"x"}'],
  ["a number", "5"],
  ["null", "null"],
  ["a page", "<html>proxy</html>"],
] as const) {
  test(`an answer that is ${what} is an error, and not an empty set`, async () => {
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

test("without a leader or a connection the endpoints stay, and the error names the agent, the operation and the reason", async () => {
  const { agent, read, words } = await start(web(1));
  const reader = read();
  await reader.untilAddresses(...at(1));
  agent.refuse(500, "No cluster leader");
  const { error } = await reader.until("an error", isFailing);
  assert.equal(error?.message, `${words}: 500 Internal Server Error: No cluster leader`);
  assert.deepEqual(reader.addresses, at(1));
  const port = await closedPort();
  const refused = read({ agent: { host: "127.0.0.1", port } });
  const { error: second, endpoints } = await refused.until("an error", isFailing);
  assert.deepEqual([second?.code, endpoints], ["unavailable", undefined]);
  assert.equal(second?.message, `consul: read service web: 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
});

test("the token is sent in a header only, and is not in an error that Consul repeats it in", async () => {
  const { agent, read, words } = await start();
  agent.refuse(403, "Permission denied: token 5ecret lacks permission 'service:read' on \"web\"");
  const { error } = await read({ credentials: { token: "5ecret" } }).until("an error", isFailing);
  const needs = 'service:read on "web" and node:read on the nodes of its instances';
  const refusal = `403 Forbidden: Permission denied: token … lacks permission 'service:read' on "web"`;
  assert.deepEqual(
    [error?.code, error?.message],
    ["permissionDenied", `${words}: ${refusal}; the token needs ${needs}`],
  );
  assert.deepEqual(new Set(agent.requests.map(({ token }) => token)), new Set(["5ecret"]));
  assert.ok(agent.requests.every(({ path, query }) => !`${path}?${query}`.includes("5ecret")));
});

test("instances that the token may no longer see are an error with the last endpoints; without a token there are none and an error", async () => {
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

test("instances that cannot be used are named in an error, and the others are used", async () => {
  const { agent, read, words } = await start(web(1, { Port: 0 }), web(2, { Port: 0 }));
  const reader = read();
  const { error, endpoints } = await reader.until("an error", isFailing);
  assert.deepEqual(
    [error?.code, error?.message, endpoints],
    [
      "portNotFound",
      `${words}: none of its 2 instances can be used: fake/web-1: it has no port; fake/web-2: it has no port`,
      [],
    ],
  );
  agent.put(web(3));
  const { error: partial } = await reader.untilAddresses(...at(3));
  assert.equal(
    partial?.message,
    `${words}: 2 of its 3 instances cannot be used: fake/web-1: it has no port; fake/web-2: it has no port`,
  );
  agent.put(web(1));
  agent.remove("web-2");
  const { error: none } = await reader.untilAddresses(...at(1, 3));
  assert.equal(none, undefined);
});

test("an instance with a field of a wrong type stays as it was, is named once, and does not affect the others", async () => {
  const { agent, create, read, words } = await start(web(1), web(2));
  const source = create();
  const reader = read();
  await reader.untilAddresses(...at(1, 2));
  const entries = (passing: unknown) =>
    JSON.stringify([
      {
        Node: { Node: "fake" },
        Service: { ID: "web-1", Address: "10.0.0.9", Port: 80, Weights: { Passing: passing } },
      },
      { Node: { Node: "fake" }, Service: { ID: "web-2", Address: "10.0.0.2", Port: 80, Meta: { podName: "p" } } },
      { Node: {}, Service: { ID: "web-3", Address: "10.0.0.3", Port: 80 } },
      null,
    ]);
  agent.answerWith(entries(-5));
  const { error, endpoints } = await reader.until("an error", isFailing);
  assert.deepEqual(reader.addresses, at(1, 2));
  assert.deepEqual([error?.code, endpoints?.[1]?.metadata.podName], ["invalid", "p"]);
  const range = "must be a number from 0 to 4294967295, got -5";
  assert.equal(
    error?.message,
    `${words}: 3 of its 4 instances cannot be used: fake/web-1: Service.Weights.Passing ${range}; ` +
      "one without a name: Node.Node must be a text that is not empty, got nothing; " +
      "one without a name: the instance must be an object, got null",
  );
  const count = reader.snapshots.length;
  agent.answerWith(entries(-5));
  await agent.until(({ requests, waiting }) => requests >= 4 && waiting === 1);
  const sets = reader.snapshots.slice(count).map(({ error }) => error?.code);
  assert.ok(!sets.slice(0, -1).includes("invalid"), "an error that did not change is not published again");
  const subscription = source.subscribe(() => {});
  assert.equal(source.stats.errors.invalid, 1);
  await subscription.close();
});

const listing = (...services: readonly object[]) =>
  JSON.stringify(services.map((each) => ({ Node: { Node: "fake" }, Service: { Port: 80, ...each } })));

for (const body of ["[null]", "[{}]", "[1,2]", '[{"Node":{"Node":"n"}}]']) {
  test(`an answer of ${body} lists no instance: it is an error, and not an empty set`, async () => {
    const { agent, read } = await start(web(1));
    const reader = read();
    await reader.untilAddresses(...at(1));
    agent.answerWith(body);
    const { endpoints, error } = await reader.until("an error", isFailing);
    assert.deepEqual([endpoints?.length, error?.code], [1, "unavailable"]);
    assert.match(error?.message ?? "", /the answer cannot be read: it lists what is not an instance: /);
    await reader.until("no error", ({ error }) => !error);
    assert.deepEqual(reader.addresses, at(1));
  });
}

test("an instance without a name may be any that is known: those that are missing are served for the grace period", async () => {
  const clock = new ManualClock();
  const { agent, read } = await start(web(1));
  const reader = read({ clock, random: () => 0, missingGraceMs: 5_000 });
  await reader.untilAddresses(...at(1));
  await clock.asleep();
  clock.advance(50); // the floor
  await agent.until(({ waiting }) => waiting === 1);
  agent.answerWith(`[${listing({ ID: "web-2", Address: "10.0.0.2" }).slice(1, -1)},{}]`);
  await reader.untilAddresses(...at(1, 2));
  assert.match(reader.last?.error?.message ?? "", /1 of its 2 instances cannot be used: one without a name: /);
  await clock.asleep(2); // the grace period, and the floor
  clock.advance(5_000);
  await reader.untilAddresses(...at(2));
});

test("an id that is given twice counts once, by its first entry, and is not published with each answer", async () => {
  const { agent, read } = await start(web(1));
  const reader = read();
  await reader.untilAddresses(...at(1));
  const twice = listing({ ID: "web-1", Address: "10.0.0.1" }, { ID: "web-1", Address: "10.0.0.7" });
  agent.answerWith(twice, twice, twice);
  const { error } = await reader.until("an error", isFailing);
  assert.match(error?.message ?? "", /1 of its 2 instances cannot be used: fake\/web-1: it is given twice$/);
  assert.deepEqual(reader.addresses, at(1));
  const { length } = reader.snapshots;
  agent.answerWith(listing({ ID: "web-1", Address: "10.0.0.1" }));
  await reader.until("no error", ({ error }) => !error);
  assert.equal(reader.snapshots.length, length + 1);
});

test("instances that are missing when the index went back are served for the grace period; those that are listed count at once", async () => {
  const clock = new ManualClock();
  const { agent, read } = await start(web(1), web(2));
  const reader = read({ clock, random: () => 0, missingGraceMs: 5_000 });
  await reader.untilAddresses(...at(1, 2));
  await clock.asleep();
  clock.advance(50); // the floor
  await agent.until(({ waiting }) => waiting === 1);
  agent.forget();
  agent.put(web(3));
  agent.setIndex(5);
  await reader.untilAddresses(...at(1, 2, 3));
  assert.equal(reader.last?.error, undefined);
  await clock.asleep(2); // the grace period, and the floor
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

test("instances that are missing after a failure are served for the grace period, also if they are few; its end in a failure removes none", async () => {
  const clock = new ManualClock();
  const { agent, read } = await start(web(1), web(2), web(3));
  const reader = read({ clock, random: () => 0, missingGraceMs: 5_000 });
  const isAnswered = () => reader.until("no error", ({ error }) => !error);
  const fail = async () => {
    agent.refuse(500, "No cluster leader");
    await reader.until("an error", isFailing);
    agent.accept();
  };
  const advanceUntil = (holds: () => boolean) =>
    until(() => {
      const isDone = holds();
      if (!isDone) clock.advance(1);
      return isDone;
    }, "the state, as the clock moves on");
  await reader.untilAddresses(...at(1, 2, 3));
  await advanceUntil(() => agent.counts.waiting === 1);
  await fail();
  agent.remove("web-3");
  await advanceUntil(() => !reader.last?.error && agent.counts.waiting === 1);
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  await fail();
  agent.freeze();
  clock.advance(5_000); // the grace period is over
  await turn();
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  agent.thaw();
  await advanceUntil(() => !reader.last?.error && agent.counts.waiting === 1);
  await isAnswered();
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  clock.advance(5_000);
  await reader.untilAddresses(...at(1, 2));
});

test("options that are not valid are refused", () => {
  const agent = { host: "127.0.0.1", port: 8500 };
  const wrong: readonly [Partial<ConsulSourceOptions & Context>, RegExp][] = [
    [{ service: "" }, /^service must not be empty/],
    [{ near: "" }, /^near must not be empty/],
    [{ dc: "" }, /^dc must not be empty/],
    [{ namespace: "" }, /^namespace must not be empty/],
    [{ tags: ["a", ""] }, /^tags must not be empty/],
    [{ waitMs: 0 }, /^waitMs must be > 0 and <= 600000, got 0/],
    [{ waitMs: 600_001 }, /^waitMs/],
    [{ limit: 0 }, /^limit must be a whole number >= 1, got 0/],
    [{ limit: 1.5 }, /^limit/],
    [{ answerTimeoutMs: 0 }, /^answerTimeoutMs/],
    [{ missingGraceMs: -1 }, /^missingGraceMs must be >= 0/],
    [{ agent: { host: "[::1]", port: 1 } }, /^agent\.host/],
  ];
  for (const [options, message] of wrong) {
    const create = () => sourceIn(defineConsulSource, { agent, service: "web", credentials: {}, ...options });
    assert.throws(create, { name: "RangeError", message });
  }
});
