import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { type ConsulSourceOptions, createConsulSource } from "./source.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

/** A source whose endpoint is 10.0.0.1:80. */
async function start(options: Partial<ConsulSourceOptions> = {}) {
  const agent = await FakeConsulAgent.start();
  cleanups.push(() => agent.close());
  agent.put({ ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80 });
  const quick = { credentials: {}, random: () => 0.001 };
  const source = createConsulSource({ agent: agent.address, service: "web", ...quick, ...options });
  const reader = new SnapshotReader(source);
  cleanups.push(() => reader.close());
  await reader.untilAddresses("10.0.0.1:80");
  return { agent, source, reader };
}

const node = { Node: "n", Address: "10.0.0.9" };
const good = { ID: "good", Service: "web", Address: "10.0.0.1", Port: 80 };
const bad = { ID: "bad", Service: "web", Address: "10.0.0.2", Port: 80 };
const listing = (...services: readonly object[]) =>
  JSON.stringify(services.map((Service) => ({ Node: node, Service, Checks: [] })));

for (const [what, entry, why] of [
  ["a weight of -5", { Weights: { Passing: -5 } }, "Weights.Passing must be a number from 0 to 4294967295, got -5"],
  ["a weight of 1e308", { Weights: { Passing: 1e308 } }, "Weights.Passing must be .*, got 1e\\+308"],
  ["a weight of {}", { Weights: { Passing: {} } }, "Weights.Passing must be .*, got an object"],
  ["a warning weight of text", { Weights: { Warning: "1" } }, "Weights.Warning must be .*, got"],
  ["weights that are a list", { Weights: [1] }, "Weights must be an object"],
  ["a port of text", { Port: "80" }, "Port must be a whole number, got"],
  ["a port of 1e308", { Port: 1e308 }, "Port must be a whole number, got 1e\\+308"],
  ["an address of true", { Address: true }, "Address must be text, got true"],
  ["a zone of {}", { Meta: { zone: {} } }, "Meta.zone must be text"],
  ["a Meta of text", { Meta: "zone" }, "Meta must be an object, got"],
  ["a Locality of 5", { Locality: 5 }, "Locality must be an object, got 5"],
] as const) {
  test(`an instance with ${what} is left out and named; the others serve, and what it was before stays`, async () => {
    const { agent, source, reader } = await start();
    const broken = { ...bad, ...entry };
    agent.answerWith(listing(good, broken));
    const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.equal(error?.code, "invalid");
    assert.match(error?.message ?? "", new RegExp(`n/bad.*${why}`));
    assert.deepEqual(reader.addresses, ["10.0.0.1:80"]);
    agent.answerWith(listing(good, bad));
    await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
    assert.equal(reader.last?.error, undefined);
    agent.answerWith(listing(good, broken));
    await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([...(reader.addresses ?? [])].sort(), ["10.0.0.1:80", "10.0.0.2:80"]);
    assert.equal(source.stats.errors.invalid, 2);
  });
}

for (const body of ["[null]", "[{}]", "[1,2]", '[{"Node":{"Node":"n"}}]']) {
  test(`an answer of ${body} lists no instance: an error, and no empty set`, async () => {
    const { agent, reader } = await start();
    agent.answerWith(body);
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints?.length, error?.code], [1, "unavailable"]);
    assert.match(error?.message ?? "", /the answer cannot be read: it lists what is not an instance: /);
    await reader.until("no error", (snapshot) => snapshot.error === undefined);
    assert.deepEqual(reader.addresses, ["10.0.0.1:80"]);
  });
}

test("an instance without a name may be any that is known: those that are missing stay for the grace period", async () => {
  const { agent, reader } = await start({ missingGraceMs: 300 });
  agent.answerWith(`[${listing(bad).slice(1, -1)},{}]`);
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  assert.match(reader.last?.error?.message ?? "", /one without a name: /);
  agent.answerWith(listing(good));
  await reader.untilAddresses("10.0.0.1:80");
  assert.equal(reader.last?.error, undefined);
});

test("an id that is listed twice counts once, by its first entry, and is not news with each answer", async () => {
  const { agent, reader } = await start();
  const body = listing(good, { ...good, Address: "10.0.0.7" });
  agent.answerWith(body, body, body, body);
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /n\/good: it is listed twice$/);
  assert.deepEqual(reader.addresses, ["10.0.0.1:80"]);
  const { length } = reader.snapshots;
  agent.answerWith(listing(good));
  await reader.until("the end of these answers", (snapshot) => snapshot.error === undefined);
  assert.equal(reader.snapshots.length, length + 1);
});
