import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { type ChannelOptions, Metadata, type StatusObject } from "@grpc/grpc-js";
import { assertNothingLeft, closedPort, ManualClock } from "@grpc-lb/core/testing";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { PodServer } from "../testing/pod-server.ts";
import { call, failure, Rig, settled, spread, untilSpread } from "../testing/rig.ts";
import { resolverChannelName } from "./diagnostics.ts";
import { DiscoveryResolver } from "./discovery-resolver.ts";
import type { ResolverListener, ServiceConfig } from "./grpc-js.ts";
import { SharedSource } from "./shared-source.ts";

const policies: Record<string, Record<string, unknown>> = {
  pick_first: { pick_first: {} },
  round_robin: { round_robin: {} },
  weighted_round_robin: { weighted_round_robin: {} },
  "outlier_detection over round_robin": {
    outlier_detection: { childPolicy: [{ round_robin: {} }], successRateEjection: {} },
  },
  "outlier_detection over pick_first": {
    outlier_detection: { childPolicy: [{ pick_first: {} }], successRateEjection: {} },
  },
};
const none = "service default/server has no ready endpoints";

for (const [name, policy] of Object.entries(policies)) {
  test(`row 16: ${name}: an error with nothing known fails calls at once with its message, waiting ones too`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    const client = rig.client({ policy });
    const waiting = failure(client);
    await source.untilOpen(1);
    source.setError("permissionDenied", "kubernetes: list endpointslices default/server: 403 Forbidden");
    assert.equal(await waiting, "kubernetes: list endpointslices default/server: 403 Forbidden");
    assert.equal(await failure(client), "kubernetes: list endpointslices default/server: 403 Forbidden");
    source.setEndpoints([a.endpoint]);
    await settled();
    assert.equal(await call(client), "a", "recovers at once");
  });

  test(`row 17: ${name}: an error while connected keeps the endpoints, and so does the end of the error`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    source.setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    assert.equal(await call(client), "a");
    source.setError("unavailable", "kubernetes: watch endpointslices default/server: ECONNREFUSED");
    await settled();
    assert.deepEqual(await spread(client, 3), { a: 3 });
    source.setUnknown("unavailable", "the source has lost all it knew");
    await settled();
    assert.deepEqual(await spread(client, 3), { a: 3 });
    source.setEndpoints([a.endpoint]);
    await settled();
    assert.deepEqual(await spread(client, 3), { a: 3 });
  });

  test(`row 11: ${name}: no endpoints from the start fail calls at once; the first one is used at once`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    source.setEndpoints([]);
    const client = rig.client({ policy });
    assert.deepEqual([await failure(client), await failure(client)], [none, none]);
    source.setEndpoints([a.endpoint]);
    await settled();
    assert.equal(await call(client), "a");
  });

  test(`row 11: ${name}: no endpoints any more fail calls at once; the next one is used at once`, async (t) => {
    const rig = new Rig(t);
    const [a, b] = await rig.start("a", "b");
    const source = rig.source();
    source.setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    assert.equal(await call(client), "a");
    for (const pod of [b, a]) {
      source.setEndpoints([]);
      await settled();
      assert.deepEqual([await failure(client), await failure(client)], [none, none]);
      rig.clock.advance(1_000);
      source.setError("unavailable", "kubernetes: watch: ECONNRESET");
      await settled();
      assert.equal(await failure(client), `${none}; kubernetes: watch: ECONNRESET`);
      source.setEndpoints([pod.endpoint]);
      await settled();
      assert.deepEqual(await spread(client, 4), { [pod.name]: 4 });
    }
  });

  test(`row 11: ${name}: a call under way on the last endpoint ends normally when there is none any more`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    rig.source().setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    a.hold();
    const underWay = call(client);
    await a.called(1);
    rig.source().setEndpoints([]);
    await settled();
    assert.equal(await failure(client), none);
    a.release();
    assert.equal(await underWay, "a");
  });
}

test("row 11: a call that waits for ready waits until there is an endpoint", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.source().setEndpoints([]);
  const client = rig.client();
  assert.equal(await failure(client), none);
  const waiting = new Promise<string | undefined>((resolve, reject) =>
    client.getPod({}, new Metadata({ waitForReady: true }), { deadline: Date.now() + 20_000 }, (error, response) =>
      error ? reject(error) : resolve(response.pod?.name),
    ),
  );
  await settled();
  rig.source().setEndpoints([a.endpoint]);
  assert.equal(await waiting, "a");
});

test("row 8: with no choice of the user calls go round all endpoints", async (t) => {
  const rig = new Rig(t);
  const servers = await rig.start("a", "b", "c");
  rig.source().setEndpoints(servers.map(({ endpoint }) => endpoint));
  const client = rig.client();
  await untilSpread(client, ...servers);
  assert.deepEqual(await spread(client, 30), { a: 10, b: 10, c: 10 });
});

test("row 8: GW: the policy that the user chose is used", async (t) => {
  const rig = new Rig(t);
  const servers = await rig.start("a", "b", "c");
  rig.source().setEndpoints(servers.map(({ endpoint }) => endpoint));
  assert.deepEqual(await spread(rig.client({ policy: "pick_first" }), 9), { a: 9 });
});

test("rows 8 and 12: a pod with three addresses takes one share, by whichever address answers", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([endpointAt(await closedPort(), a.port, await closedPort()), b.endpoint]);
  const client = rig.client();
  await untilSpread(client, a, b);
  assert.deepEqual(await spread(client, 20), { a: 10, b: 10 });
});

test("row 6: a new pod is called as soon as it is known, with no request for it", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([a.endpoint]);
  const client = rig.client();
  assert.equal(await call(client), "a");
  rig.source().setEndpoints([a.endpoint, b.endpoint]);
  await untilSpread(client, b);
  assert.equal(rig.source().watches, 1);
});

test("row 9: calls under way on an endpoint that leaves end normally, and no new one goes there", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([a.endpoint, b.endpoint]);
  const client = rig.client();
  await untilSpread(client, a, b);
  a.hold();
  const before = a.calls.length;
  const underWay = [call(client), call(client)];
  await a.called(before + 1);
  rig.source().setEndpoints([b.endpoint]);
  await settled();
  assert.deepEqual(await spread(client, 6), { b: 6 });
  assert.equal(a.calls.length, before + 1);
  a.release();
  assert.deepEqual((await Promise.all(underWay)).sort(), ["a", "b"]);
});

for (const policy of ["round_robin", "weighted_round_robin", "pick_first"]) {
  test(`row 9: ${policy}: replacing every pod, one after the other, under 64 calls in flight loses none`, async (t) => {
    const rig = new Rig(t);
    let pods: readonly PodServer[] = await rig.start("a0", "b0", "c0");
    const source = rig.source();
    source.setEndpoints(pods.map(({ endpoint }) => endpoint));
    const client = rig.client({ policy });
    let isOver = false;
    const answers: Record<string, number> = {};
    const workers = Array.from({ length: 64 }, async () => {
      while (!isOver) {
        const name = await call(client);
        answers[name] = (answers[name] ?? 0) + 1;
      }
    });
    const load = Promise.all(workers);
    for (let n = 0; n < 6; n++) {
      await Promise.race([load, pods[0]?.called(1)]);
      const [next] = await rig.start(`${"abc"[n % 3]}${1 + Math.floor(n / 3)}`);
      // What a rollout does: a new pod is ready, an old one terminates, and drains once the news may have arrived.
      source.setEndpoints([...pods, next].map(({ endpoint }) => endpoint));
      if (policy !== "pick_first") await Promise.race([load, next.called(10)]);
      const [old, ...rest] = pods;
      pods = [...rest, next];
      source.setEndpoints(pods.map(({ endpoint }) => endpoint));
      await settled();
      await old?.drain();
    }
    isOver = true;
    await load;
    for (const { name } of pods) if (policy !== "pick_first") assert.ok(answers[name], `${name} was never called`);
  });
}

test("row 18: an endpoint where nobody listens costs no call while another is there", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.source().setEndpoints([endpointAt(await closedPort()), a.endpoint, endpointAt(await closedPort())]);
  assert.deepEqual(await spread(rig.client(), 10), { a: 10 });
});

test("row 17: what connects nowhere says so, with the error of the source beside it", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  source.setEndpoints([endpointAt(await closedPort())]);
  source.setError("unavailable", "kubernetes: the API server is away");
  const message = await failure(rig.client());
  assert.match(message, /ECONNREFUSED/);
  assert.match(message, /kubernetes: the API server is away/);
});

test("row 27: after idle the same instance starts again, and replays nothing that may be no longer true", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  const source = rig.source();
  source.setEndpoints([a.endpoint]);
  const client = rig.client({ "grpc.client_idle_timeout_ms": 1_000 });
  assert.equal(await call(client), "a");
  await source.untilOpen(0);
  source.forget();
  const waiting = call(client);
  await source.untilOpen(1);
  await settled();
  source.setEndpoints([b.endpoint]);
  assert.equal(await waiting, "b");
  assert.deepEqual([a.calls.length, source.watches], [1, 2]);
});

test("row 27: a channel that comes back from idle while others watch is told at once what is true", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  const source = rig.source();
  source.setEndpoints([a.endpoint]);
  const idle = rig.client({ "grpc.client_idle_timeout_ms": 1_000 });
  const busy = rig.client();
  await Promise.all([call(idle), call(busy)]);
  while (rig.resolver.stats()[0]?.channels !== 1) await settled();
  source.setEndpoints([b.endpoint]);
  await settled();
  assert.equal(await call(idle), "b");
  assert.equal(source.watches, 1);
});

// ── Below, the resolver alone, with a listener that records what grpc-js is told.

function start(t: { after(end: () => Promise<void>): void }, channelOptions: ChannelOptions = {}, wrong?: string) {
  const clock = new ManualClock();
  const source = new FakeSource();
  const shared = new SharedSource(source, { clock });
  const warnings: string[] = [];
  const told: string[] = [];
  const notes: string[] = [];
  const configs: (ServiceConfig | undefined)[] = [];
  let onTold = () => {};
  const listener: ResolverListener = (endpoints, _attributes, config, note) => {
    told.push(endpoints.ok ? endpoints.value.map(({ addresses }) => addresses.length).join() : endpoints.error.details);
    notes.push(note);
    configs.push(config?.ok ? config.value : undefined);
    onTold();
    return true;
  };
  const resolver = new DiscoveryResolver({
    target: "kubernetes:///server",
    listener,
    channelOptions,
    share: () => (wrong === undefined ? shared : { error: wrong }),
    clock,
    warn: (message) => warnings.push(message),
    configName: "annotation grpc-lb.dev/service-config",
  });
  t.after(async () => {
    resolver.destroy();
    await settled();
    assert.deepEqual([clock.sleeping, source.openWatches, shared.subscribers], [0, 0, 0]);
    await assertNothingLeft();
  });
  return {
    clock,
    source,
    shared,
    warnings,
    told,
    notes,
    configs,
    resolver,
    onTold: (then: () => void) => (onTold = then),
  };
}

test("row 7: a storm of 50 updates is one replay in 30 seconds, and no request to the source", async (t) => {
  const { clock, source, told, resolver } = start(t);
  source.setEndpoints([endpointAt(1), endpointAt(2)]);
  resolver.updateResolution();
  await settled();
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  assert.deepEqual(told, ["1,1"]);
  clock.advance(29_999);
  await settled();
  assert.deepEqual(told, ["1,1"]);
  clock.advance(1);
  await settled();
  assert.deepEqual(told, ["1,1", "1,1"]);
  clock.advance(60_000);
  await settled();
  assert.deepEqual([told.length, source.watches, clock.sleeping], [2, 1, 0], "nothing goes on by itself");
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.deepEqual([told.length, clock.sleeping], [3, 0], "the next storm is one more");
});

test("row 7: 50 failing calls tell grpc-js nothing new and ask the source nothing", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  source.setEndpoints([]);
  const client = rig.client();
  for (let n = 0; n < 50; n++) assert.equal(await failure(client), none);
  assert.deepEqual([source.watches, rig.clock.sleeping <= 1], [1, true]);
});

test("row 7: a replay that was asked for before destroy does not come after it", async (t) => {
  const { clock, source, told, resolver } = start(t);
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  resolver.updateResolution();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.equal(told.length, 2);
  clock.advance(30_000);
  await settled();
  assert.equal(told.length, 2);
});

test("row 7: a replay that was asked for before destroy does not come in the next run, which has its own", async (t) => {
  const { clock, source, shared, told, resolver } = start(t);
  const other = () => {};
  shared.subscribe(other);
  source.setEndpoints([endpointAt(1)]);
  await settled();
  resolver.updateResolution();
  resolver.updateResolution();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual([told, clock.sleeping], [["1", "1"], 0], "once a run");
  resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.equal(told.length, 3, "the new run's own replay");
  await shared.unsubscribe(other);
});

test("row 27: the next run is told what is true then, be it the same or nothing; nothing old is replayed", async (t) => {
  const { clock, source, told, resolver } = start(t);
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual(told, ["1", "1"], "policies are new after idle, and know nothing");
  resolver.destroy();
  source.forget();
  resolver.updateResolution();
  resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.equal(told.length, 2, "nothing is known yet");
  source.setEndpoints([]);
  await settled();
  assert.deepEqual(told.slice(2), [none], "a new policy has no endpoints to be rid of");
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual(told.slice(2), [none, none], "at once: the second between two messages is of one run");
});

test("row 17: words that change beside the same endpoints are told to all but grpc-js, which would begin anew", async (t) => {
  const { clock, source, shared, told, configs, resolver } = start(t);
  let published = 0;
  const count = () => published++;
  subscribe(resolverChannelName, count);
  t.after(async () => void unsubscribe(resolverChannelName, count));
  const [one, two] = [endpointAt(1), endpointAt(2, 3)];
  source.setEndpoints([one, two]);
  resolver.updateResolution();
  await settled();
  for (const status of [500, 503, 500, 503]) {
    source.setError("unavailable", `kubernetes: watch endpointslices default/server: ${status}`);
    await settled();
  }
  assert.equal(shared.latest?.error?.message, "kubernetes: watch endpointslices default/server: 503");
  source.setEndpoints([one, two], "{ no service config");
  await settled();
  clock.advance(60_000);
  await settled();
  assert.deepEqual([told, published], [["1,2"], 6]);
  for (const [endpoints, config] of [
    [[two, one], undefined],
    [[two], undefined],
    [[two, one], undefined],
    [[two, endpointAt(1)], undefined],
    [[two, one], annotation],
    [[two, one], annotation],
    [[two, one], undefined],
  ] as const) {
    source.setEndpoints(endpoints, config);
    await settled();
  }
  assert.deepEqual(
    told,
    ["1,2", "2,1", "2", "2,1", "2,1", "2,1", "2,1"],
    "order, number, identity and config are news",
  );
  const policies = configs.slice(-2).map((config) => config?.loadBalancingConfig);
  assert.deepEqual(policies, [[{ pick_first: {} }], [{ round_robin: {} }]]);
});

test("row 17: the words of an outage come to grpc-js when it asks", async (t) => {
  const { clock, source, told, notes, resolver } = start(t);
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  source.setError("unavailable", "the API server is away");
  resolver.updateResolution();
  await settled();
  assert.deepEqual(notes, [""]);
  clock.advance(30_000);
  await settled();
  assert.deepEqual(
    [told, notes],
    [
      ["1", "1"],
      ["", "the API server is away"],
    ],
  );
});

test("row 11: with no endpoints the message follows its reason at most once a second, and the last one wins", async (t) => {
  const { clock, source, told, resolver } = start(t);
  const say = async (message: string, ms: number) => {
    source.setError("unavailable", message);
    await settled();
    clock.advance(ms);
    await settled();
  };
  resolver.updateResolution();
  await say("500", 100);
  await say("503", 100);
  await say("500", 100);
  await say("504", 699);
  assert.deepEqual(told, ["500"]);
  clock.advance(1);
  await settled();
  assert.deepEqual(told, ["500", "504"], "after a second, the last");
  await say("500", 100);
  await say("504", 5_000);
  assert.deepEqual(told, ["500", "504"], "what calls have already is no news");
  await say("504", 0);
  await say("503", 0);
  assert.deepEqual([told.slice(2), clock.sleeping], [["503"], 0], "at once when the last one was long ago");
});

test("row 11: with no endpoints another service config is news like another message", async (t) => {
  const { clock, source, told, configs, resolver } = start(t);
  source.setEndpoints([]);
  resolver.updateResolution();
  await settled();
  source.setEndpoints([], annotation);
  await settled();
  assert.deepEqual(told, [none]);
  clock.advance(1_000);
  await settled();
  const policies = configs.map((config) => config?.loadBalancingConfig);
  assert.deepEqual(
    [told, policies],
    [
      [none, none],
      [[{ round_robin: {} }], [{ pick_first: {} }]],
    ],
  );
});

test("row 11: endpoints that come while a message waits are used at once, and the message is dropped", async (t) => {
  const { clock, source, told, resolver } = start(t);
  source.setEndpoints([]);
  resolver.updateResolution();
  await settled();
  source.setError("unavailable", "away");
  await settled();
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual(told, [none, "1"]);
  clock.advance(1_000);
  await settled();
  assert.deepEqual(told, [none, "1"]);
  source.setEndpoints([]);
  await settled();
  assert.deepEqual(told.slice(2), [none, none, none], "no endpoints any more is said at once, by way of two policies");
});

test("row 11: a Service that does not exist is said in the API server's words; an outage beside the empty set says both", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  const source = rig.source();
  const client = rig.client();
  const gone = "kubernetes: get service default/server: 404 Not Found: there is no such Service";
  source.setEndpoints([]);
  source.setError("notFound", gone);
  assert.equal(await failure(client), gone);
  rig.clock.advance(1_000);
  source.setError("unavailable", "kubernetes: get service default/server: ECONNREFUSED");
  await settled();
  assert.equal(await failure(client), `${none}; kubernetes: get service default/server: ECONNREFUSED`);
  source.setEndpoints([a.endpoint]);
  await settled();
  assert.equal(await call(client), "a");
});

test("row 22: a channel that is closed by one who hears of a snapshot is told nothing more", async (t) => {
  const { source, told, resolver } = start(t);
  const close = () => resolver.destroy();
  subscribe(resolverChannelName, close);
  t.after(async () => void unsubscribe(resolverChannelName, close));
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  assert.deepEqual([told, source.openWatches], [[], 0]);
});

test("row 22: destroy in any state, and twice, leaves nothing and tells nothing more", async (t) => {
  const states: Record<string, (rig: ReturnType<typeof start>) => Promise<void> | void> = {
    "never started": () => {},
    "started, nothing known": ({ resolver }) => resolver.updateResolution(),
    "a snapshot on its way": async ({ resolver, source }) => {
      resolver.updateResolution();
      await settled();
      source.setEndpoints([endpointAt(1)]);
    },
    "with endpoints": async ({ resolver, source }) => {
      source.setEndpoints([endpointAt(1)]);
      resolver.updateResolution();
      await settled();
    },
    "with a replay pending": async ({ resolver, source }) => {
      source.setEndpoints([]);
      resolver.updateResolution();
      await settled();
      resolver.updateResolution();
    },
    "with a message pending": async ({ resolver, source, clock }) => {
      source.setEndpoints([]);
      resolver.updateResolution();
      await settled();
      source.setError("unavailable", "away");
      await settled();
      assert.equal(clock.sleeping, 1);
    },
    "destroyed and started": ({ resolver }) => {
      resolver.updateResolution();
      resolver.destroy();
      resolver.updateResolution();
    },
  };
  for (const [state, reach] of Object.entries(states)) {
    const rig = start(t);
    await reach(rig);
    rig.resolver.destroy();
    rig.resolver.destroy();
    const { length } = rig.told;
    rig.source.setEndpoints([endpointAt(2)]);
    await settled();
    assert.deepEqual([rig.told.length, rig.source.openWatches, rig.clock.sleeping], [length, 0, 0], state);
  }
});

test("row 22: grpc-js may destroy the resolver while it is being told", async (t) => {
  for (const begin of ["endpoints", "none", "from the share"]) {
    const { source, shared, told, resolver, onTold } = start(t);
    const other = () => {};
    if (begin === "from the share") shared.subscribe(other);
    source.setEndpoints([endpointAt(1)]);
    await settled();
    if (begin === "none") {
      resolver.updateResolution();
      await settled();
      source.setEndpoints([]);
    }
    onTold(() => {
      resolver.destroy();
      void shared.unsubscribe(other);
    });
    resolver.updateResolution();
    await settled();
    assert.deepEqual([told.length, source.openWatches], [begin === "none" ? 2 : 1, 0], `${begin}: ${told}`);
  }
});

test("an endpoint that stayed is the same object for grpc-js, with what discovery knows of it", async (t) => {
  const { source, resolver, shared } = start(t);
  const seen: unknown[][] = [];
  const listening = new DiscoveryResolver({
    target: "kubernetes:///server",
    listener: (endpoints) => {
      if (endpoints.ok) seen.push(endpoints.value);
      return true;
    },
    channelOptions: {},
    share: () => shared,
    clock: new ManualClock(),
    warn: () => {},
  });
  const stays = endpointAt(1, 2);
  source.setEndpoints([stays, endpointAt(3)]);
  listening.updateResolution();
  await settled();
  source.setEndpoints([endpointAt(4), stays]);
  await settled();
  assert.equal(seen[0]?.[0], seen[1]?.[1]);
  assert.deepEqual(seen[0]?.[0], {
    addresses: [
      { host: "127.0.0.1", port: 1 },
      { host: "127.0.0.1", port: 2 },
    ],
    discovered: stays,
  });
  listening.destroy();
  resolver.destroy();
});

test("a wrong target fails every call with its message, and does not reconnect", async (t) => {
  const { clock, told, resolver } = start(t, {}, "target: it names no service");
  resolver.updateResolution();
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.deepEqual(told, ["target: it names no service", "target: it names no service"]);
});

const annotation = JSON.stringify({
  loadBalancingConfig: [{ pick_first: {} }],
  methodConfig: [{ name: [{}], timeout: "0.25s" }],
});

test("the service's annotation is used, and its timeout of 0.25s is 250 ms", async (t) => {
  const { source, configs, resolver, warnings } = start(t);
  source.setEndpoints([endpointAt(1)], annotation);
  resolver.updateResolution();
  await settled();
  const methodConfig = [{ name: [{}], timeout: { seconds: 0, nanos: 250_000_000 } }];
  assert.deepEqual(configs, [{ loadBalancingConfig: [{ pick_first: {} }], methodConfig }]);
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual(configs[1]?.loadBalancingConfig, [{ round_robin: {} }], "an annotation that is gone");
  assert.deepEqual(warnings, []);
});

test("an annotation that is wrong is ignored and said once", async (t) => {
  const { source, configs, resolver, warnings } = start(t);
  for (const endpoints of [[endpointAt(1)], [endpointAt(2)], []]) {
    source.setEndpoints(endpoints, '{"methodConfig":[{"name":[{}],"timeout":"soon"}]}');
    resolver.updateResolution();
    await settled();
  }
  assert.deepEqual(warnings, [
    "service default/server: its annotation grpc-lb.dev/service-config is ignored: Invalid method config: invalid timeout",
  ]);
  assert.deepEqual(configs[0]?.loadBalancingConfig, [{ round_robin: {} }]);
});

test("the user's service config and grpc.service_config_disable_resolution keep the annotation out", async (t) => {
  const user = { methodConfig: [{ name: [{}], timeout: "0.25s" }] };
  for (const [options, want] of [
    [{ "grpc.service_config": JSON.stringify(user) }, [{ name: [{}], timeout: { seconds: 0, nanos: 250_000_000 } }]],
    [{ "grpc.service_config_disable_resolution": 1 }, []],
    [{ "grpc.service_config": "", "grpc.service_config_disable_resolution": 1 }, []],
  ] as const) {
    const { source, configs, resolver } = start(t, options);
    source.setEndpoints([endpointAt(1)], annotation);
    resolver.updateResolution();
    await settled();
    assert.deepEqual(configs, [{ loadBalancingConfig: [{ round_robin: {} }], methodConfig: want }]);
  }
});

test("a policy of the channel that cannot be used is warned of once, with the reason, and round_robin is used", async (t) => {
  const { source, configs, warnings, resolver } = start(t, {
    "grpc.service_config": '{"loadBalancingConfig":[{"least_requests":{}}],"healthCheckConfig":{"serviceName":""}}',
  });
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  assert.deepEqual(configs[0]?.loadBalancingConfig, [{ round_robin: {} }]);
  assert.equal(warnings.length, 1);
  assert.match(
    String(warnings),
    /^kubernetes:\/\/\/server: grpc\.service_config: unknown policy "least_requests".*; round_robin is used instead; healthCheckConfig is ignored/,
  );
});

test("a policy of the service's own config that cannot be used falls back as a channel's does; the methods count", async (t) => {
  const { source, configs, warnings, resolver } = start(t);
  const methodConfig = [{ name: [{}] }];
  source.setEndpoints([endpointAt(1)], JSON.stringify({ loadBalancingPolicy: "least_requests", methodConfig }));
  resolver.updateResolution();
  await settled();
  assert.deepEqual(configs, [{ loadBalancingConfig: [{ round_robin: {} }], methodConfig }]);
  assert.equal(warnings.length, 1);
  assert.match(
    String(warnings),
    /^service default\/server: its annotation grpc-lb\.dev\/service-config: unknown policy "least_requests".*; round_robin is used instead$/,
  );
});

for (const [where, timeout] of [
  ["user", "0.25s"],
  ["annotation", "0.25s"],
] as const) {
  test(`a timeout of ${timeout} in the config of the ${where} gives a call 250 ms`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const config = JSON.stringify({ methodConfig: [{ name: [{}], timeout }] });
    rig.source().setEndpoints([a.endpoint], where === "annotation" ? config : undefined);
    const client = rig.client(where === "user" ? { "grpc.service_config": config } : {});
    assert.equal(await call(client), "a");
    a.hold();
    const began = performance.now();
    const error = await new Promise<StatusObject | null>((resolve) => client.getPod({}, (error) => resolve(error)));
    const took = performance.now() - began;
    assert.equal(error?.code, 4, error?.details);
    assert.ok(took >= 240 && took < 5_000, `want 250 ms, got ${took}`);
    a.release();
  });
}

test("a pod server of these tests ends without a trace", async () => {
  const server = await PodServer.start("a");
  await server.drain();
  await assertNothingLeft();
});
