import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { FakeSource } from "../testing/fake-source.ts";
import { bareContext, call, failure, Rig, settled, spread, untilSpread } from "../testing/rig.ts";
import { resolverChannels, type SnapshotMessage } from "./index.ts";
import { ownAuthority } from "./own-schemes.ts";
import { registerResolvers, registerResolversIn } from "./resolvers.ts";

test("channels resolve the targets of a scheme by its own source, which the view, the diagnostics and findEndpoint show", async (t) => {
  const rig = new Rig(t);
  const [a, b, c] = await rig.start("a", "b", "c");
  const source = new FakeSource("inventory service server");
  const asked: string[] = [];
  const createSource = (target: string) => {
    asked.push(target);
    return source;
  };
  const resolvers = registerResolversIn({ sources: { inventory: createSource } }, bareContext);
  const targets = new Set<string>();
  const listener = (message: unknown) => targets.add((message as SnapshotMessage).target);
  subscribe(resolverChannels.snapshot, listener);
  t.after(() => unsubscribe(resolverChannels.snapshot, listener));

  source.setEndpoints([a.endpoint, b.endpoint]);
  const target = "inventory:///team/server:grpc?zone=a";
  const client = rig.client({}, target);
  await untilSpread(client, a, b);
  assert.deepEqual(await spread(client, 10), { a: 5, b: 5 });
  assert.equal(a.calls[0]?.getHost(), "server", "the authority");
  source.setEndpoints([a.endpoint, b.endpoint, c.endpoint]);
  await untilSpread(client, c);
  source.setError("unavailable", "the inventory is down");
  await settled();
  assert.deepEqual(await spread(client, 9), { a: 3, b: 3, c: 3 }, "the last good endpoints");

  assert.deepEqual([asked, [...targets]], [[target], [target]]);
  const [stats, ...others] = resolvers.stats();
  assert.deepEqual(others, []);
  assert.deepEqual([stats?.scheme, stats?.target, stats?.channels, stats?.endpoints], ["inventory", target, 1, 3]);
  assert.equal(stats?.error, "the inventory is down");
  assert.equal(resolvers.findEndpoint(`127.0.0.1:${c.port}`), c.endpoint);
  client.close();
  await settled();
  assert.deepEqual([resolvers.stats(), source.openRuns], [[], 0]);
});

test("calls fail with what the function throws, and with an error for what is no source", async (t) => {
  const rig = new Rig(t);
  const refuse = (target: string) => {
    throw new RangeError(`${target}: expected nowhere:///service`);
  };
  const sources = { nowhere: refuse, nothing: () => undefined as never };
  registerResolversIn({ sources }, bareContext);
  assert.equal(await failure(rig.client({}, "nowhere:///")), "nowhere:///: expected nowhere:///service");
  const message = "sources.nothing of registerResolvers must return a source, got nothing";
  assert.equal(await failure(rig.client({}, "nothing:///server")), message);
});

test("a second call replaces a scheme for later channels, and keeps those that it does not name", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  const [first, second] = [new FakeSource(), new FakeSource()];
  first.setEndpoints([a.endpoint]);
  second.setEndpoints([b.endpoint]);
  registerResolversIn({ sources: { twice: () => first, once: () => first } }, bareContext);
  const before = rig.client({}, "twice:///server");
  assert.equal(await call(before), "a");
  registerResolversIn({ sources: { twice: () => second } }, bareContext);
  assert.equal(await call(rig.client({}, "twice:///server")), "b");
  assert.equal(await call(before), "a");
  assert.equal(await call(rig.client({}, "once:///server")), "a");
});

for (const [sources, message] of [
  [5, /^TypeError: registerResolvers: sources must be an object, got a number$/],
  [
    { inventory: "http://inventory" },
    /^TypeError: registerResolvers: sources\.inventory must be a function, got a string$/,
  ],
  [{ Inventory: () => {} }, /^RangeError: .* the scheme "Inventory" must be lower-case letters, digits, \+, \. and -$/],
  [{ "": () => {} }, /^RangeError: .* the scheme "" must be lower-case letters/],
  [{ kubernetes: () => {} }, /^RangeError: .* the scheme "kubernetes" has a resolver already$/],
  [{ dns: () => {} }, /^RangeError: .* the scheme "dns" has a resolver already$/],
  [{ unix: () => {} }, /^RangeError: .* the scheme "unix" has a resolver already$/],
] as const) {
  test(`sources that are wrong are refused at once: ${message}`, () => {
    assert.throws(() => registerResolvers({ sources: sources as never }), message);
  });
}

test("the authority is the last part of the path, without port and parameters", () => {
  for (const [path, want] of [
    ["server", "server"],
    ["team/server:grpc", "server"],
    ["server:80?zone=a", "server"],
    ["server?near=a/b:c", "server"],
    ["?zone=a", "inventory"],
  ] as const) {
    assert.equal(ownAuthority("inventory", path), want, path);
  }
});
