import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import { sourceIn } from "../../testing/context.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { followIndex } from "./health-watch.ts";
import { type ConsulSourceOptions, defineConsulSource } from "./source.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await assertNothingLeft();
});

const web = (n: number, rest: object = {}) => ({
  ID: `web-${n}`,
  Name: "web",
  Address: `10.0.0.${n}`,
  Port: 80,
  ...rest,
});

async function start(options: Partial<ConsulSourceOptions & Context> = {}) {
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  agent.put(web(1));
  const source = sourceIn(defineConsulSource, { agent: agent.address, service: "web", credentials: {}, ...options });
  const reader = new SnapshotReader(source);
  ends.push(() => reader.close());
  const indexes = () => agent.requests.map(({ query }) => query.get("index"));
  return { agent, source, reader, indexes };
}

const followed: readonly [requested: number, received: number, next: number][] = [
  [0, 7, 7],
  [7, 7, 7],
  [7, 9, 9],
  [9, 7, 0],
  [0, 0, 1],
  [1, 0, 1],
  [7, 0, 0],
];
for (const [requested, received, next] of followed) {
  test(`after a query with index ${requested} and an answer with ${received} the next index is ${next}`, () => {
    assert.equal(followIndex(requested, received), next);
  });
}

test("a query for what there is, then one that waits for a change of its index; after a reset of the index again the first kind", async () => {
  const { agent, reader, indexes } = await start({ waitMs: 30_000 });
  await agent.until(({ waiting }) => waiting === 1);
  assert.deepEqual(indexes(), [null, "11"]);
  assert.equal(agent.requests[1]?.query.get("wait"), "30000ms");
  agent.setIndex(5);
  await agent.until(({ requests, waiting }) => requests === 4 && waiting === 1);
  assert.deepEqual(indexes().slice(2), [null, "5"]);
  assert.equal(reader.snapshots.length, 1, "what did not change is not published again");
});

for (const [what, random, floorMs] of [
  ["at least", 0, 50],
  ["at most", 0.999_999, 100],
] as const) {
  test(`the queries of a service that flaps are ${what} ${floorMs} ms apart`, async () => {
    const clock = new ManualClock();
    const { agent, reader } = await start({ clock, random: () => random });
    await reader.untilAddresses("10.0.0.1:80");
    for (let count = 1; count < 10; count++) {
      await clock.asleep();
      for (let n = 0; n < 10; n++) agent.setStatus("web-1", n % 2 === 0 ? "critical" : "passing");
      agent.put(web(count));
      clock.advance(floorMs - 1);
      for (let n = 0; n < 5; n++) await turn();
      assert.equal(agent.counts.requests, count);
      clock.advance(1);
      await agent.until(({ requests }) => requests === count + 1);
      await reader.until("its last state", ({ endpoints }) => endpoints?.length === count);
    }
    assert.equal(agent.counts.maxWaiting, 1);
  });
}

test("an index that stays 0 is requested as 1, at the usual pace", async () => {
  const { agent, indexes } = await start();
  agent.answerWithIndex(0);
  await agent.until(({ requests }) => requests >= 10);
  assert.deepEqual(new Set(indexes().slice(3)), new Set(["1"]));
  const [first, last] = [agent.requests[0], agent.requests.at(-1)];
  const tookMs = (last?.atMs ?? 0) - (first?.atMs ?? 0);
  assert.ok(tookMs > 400, `10 queries in ${tookMs} ms`);
});

test("an answer without an index is an error, the query is repeated after a pause, and the endpoints stay", async () => {
  const clock = new ManualClock();
  const { agent, reader, indexes } = await start({ clock, random: () => 0.999 });
  await agent.until(({ requests }) => requests === 1);
  await reader.untilAddresses("10.0.0.1:80");
  agent.answerWithIndex("absent");
  await clock.asleep();
  clock.advance(100); // the floor
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(
    error?.message,
    `consul: read service web: 127.0.0.1:${agent.address.port}: the answer has no X-Consul-Index; is this Consul?`,
  );
  assert.deepEqual(reader.addresses, ["10.0.0.1:80"]);
  agent.answerWithIndex(undefined);
  assert.deepEqual(indexes(), [null, "11"]);
  await clock.asleep();
  clock.advance(199);
  await turn();
  assert.equal(agent.counts.requests, 2, "the backoff is not over");
  clock.advance(1);
  await reader.until("no error", (snapshot) => snapshot.error === undefined);
  assert.equal(indexes()[2], null, "after a failure it queries what there is");
});

test("after a 429 there is no query for the time of Retry-After", async () => {
  const clock = new ManualClock();
  const { agent, reader } = await start({ clock, random: () => 0 });
  agent.refuse(429, "Your IP is issuing too many concurrent connections", { retryAfterSeconds: 7 });
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /429 Too Many Requests: Your IP is issuing too many concurrent connections$/);
  agent.accept();
  const { requests } = agent.counts;
  await clock.asleep();
  clock.advance(6_999);
  await turn();
  assert.equal(agent.counts.requests, requests);
  clock.advance(1);
  await reader.until("no error", (snapshot) => snapshot.error === undefined);
});

test("silence for longer than the wait, a sixteenth of it and the time for an answer is an error", async () => {
  const clock = new ManualClock();
  const { agent, reader } = await start({ clock, waitMs: 160_000, answerTimeoutMs: 5_000, random: () => 0 });
  await reader.untilAddresses("10.0.0.1:80");
  await clock.asleep();
  clock.advance(50); // the floor
  await agent.until(({ waiting }) => waiting === 1);
  await clock.asleep();
  clock.advance(174_999);
  await turn();
  assert.equal(reader.last?.error, undefined);
  clock.advance(1);
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /nothing heard for 175 s$/);
  assert.deepEqual(reader.addresses, ["10.0.0.1:80"]);
});

for (const [status, waits] of [
  [500, [100, 200, 400]],
  [403, [500, 1_000, 2_000]],
] as const) {
  test(`after a ${status} the pauses are ${waits.join(", ")} ms, at a random value of a half`, async () => {
    const slept: number[] = [];
    class RecordingClock extends ManualClock {
      override sleep(ms: number, signal?: AbortSignal): Promise<void> {
        slept.push(ms);
        return super.sleep(ms, signal);
      }
    }
    const clock = new RecordingClock();
    const { agent } = await start({ clock, random: () => 0.5 });
    agent.refuse(status, "no");
    const pauses = () => slept.filter((ms) => waits.includes(ms as never));
    await until(() => {
      if ([...waits, 75].includes(slept.at(-1) as never)) clock.advance(4_000);
      return pauses().length >= waits.length;
    }, `${waits.length} pauses`);
    assert.deepEqual(pauses(), waits);
  });
}
