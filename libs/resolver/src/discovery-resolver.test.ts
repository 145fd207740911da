import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { type ChannelOptions, Metadata, type StatusObject } from "@grpc/grpc-js";
import { assertNothingLeft, closedPort, ManualClock, until } from "@grpc-lb/core/testing";
import { endpointOf } from "@grpc-lb/discovery";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { PodServer } from "../testing/pod-server.ts";
import { call, failure, Rig, settled, spread, untilSpread } from "../testing/rig.ts";
import { resolverChannels } from "./diagnostics.ts";
import { DiscoveryResolver } from "./discovery-resolver.ts";
import type { ResolvedEndpoint, ResolverListener, ServiceConfig } from "./grpc-js.ts";

const policies: Record<string, Record<string, unknown>> = {
  pick_first: { pick_first: {} },
  round_robin: { round_robin: {} },
  weighted_round_robin: { weighted_round_robin: {} },
  outlier_detection: { outlier_detection: { child_policy: [{ round_robin: {} }], success_rate_ejection: {} } },
  "outlier_detection over pick_first, which grpc-js refuses": {
    outlier_detection: { child_policy: [{ pick_first: {} }], success_rate_ejection: {} },
  },
};
const none = "service default/server has no ready endpoints";

for (const [name, policy] of Object.entries(policies)) {
  test(`${name}: an error before anything is known fails calls at once with its message, also those that wait`, async (t) => {
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

  test(`${name}: an error while connected keeps the endpoints, and so does the end of the error`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    source.setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    assert.equal(await call(client), "a");
    source.setError("unavailable", "kubernetes: watch endpointslices default/server: ECONNREFUSED");
    await settled();
    assert.deepEqual(await spread(client, 3), { a: 3 });
    source.setEndpoints([a.endpoint]);
    await settled();
    assert.deepEqual(await spread(client, 3), { a: 3 });
  });

  test(`${name}: without endpoints from the start, calls fail at once; the first endpoint is used at once`, async (t) => {
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

  test(`${name}: when the last endpoint leaves, calls fail at once; the next endpoint is used at once`, async (t) => {
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

  test(`${name}: a call in flight on the last endpoint ends normally after it has left`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    rig.source().setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    a.hold();
    const inFlight = call(client);
    await a.called(1);
    rig.source().setEndpoints([]);
    await settled();
    assert.equal(await failure(client), none);
    a.release();
    assert.equal(await inFlight, "a");
  });
}

test("a call that waits for ready waits until there is an endpoint", async (t) => {
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

test("without a policy of the channel or of the service, calls go to each endpoint in turn", async (t) => {
  const rig = new Rig(t);
  const servers = await rig.start("a", "b", "c");
  rig.source().setEndpoints(servers.map(({ endpoint }) => endpoint));
  const client = rig.client();
  await untilSpread(client, ...servers);
  assert.deepEqual(await spread(client, 30), { a: 10, b: 10, c: 10 });
});

test("the channel's policy is used", async (t) => {
  const rig = new Rig(t);
  const servers = await rig.start("a", "b", "c");
  rig.source().setEndpoints(servers.map(({ endpoint }) => endpoint));
  assert.deepEqual(await spread(rig.client({ policy: "pick_first" }), 9), { a: 9 });
});

test("a pod with three addresses takes one share, by whichever address answers", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([endpointAt(await closedPort(), a.port, await closedPort()), b.endpoint]);
  const client = rig.client();
  await untilSpread(client, a, b);
  assert.deepEqual(await spread(client, 20), { a: 10, b: 10 });
});

test("a new pod is called as soon as it is known, with no request for it", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([a.endpoint]);
  const client = rig.client();
  assert.equal(await call(client), "a");
  rig.source().setEndpoints([a.endpoint, b.endpoint]);
  await untilSpread(client, b);
  assert.equal(rig.source().runs, 1);
});

test("calls in flight on an endpoint that leaves end normally, and no new call goes there", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([a.endpoint, b.endpoint]);
  const client = rig.client();
  await untilSpread(client, a, b);
  a.hold();
  const before = a.calls.length;
  const inFlight = [call(client), call(client)];
  await a.called(before + 1);
  rig.source().setEndpoints([b.endpoint]);
  await settled();
  assert.deepEqual(await spread(client, 6), { b: 6 });
  assert.equal(a.calls.length, before + 1);
  a.release();
  assert.deepEqual((await Promise.all(inFlight)).sort(), ["a", "b"]);
});

for (const policy of ["round_robin", "weighted_round_robin", "pick_first"]) {
  test(`${policy}: replacing every pod, one after the other, under 64 calls in flight loses none`, async (t) => {
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
    t.after(() => (isOver = true)); // also when an expectation fails
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

test("an endpoint that refuses connections costs no call while there is another", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.source().setEndpoints([endpointAt(await closedPort()), a.endpoint, endpointAt(await closedPort())]);
  assert.deepEqual(await spread(rig.client(), 10), { a: 10 });
});

test("the error of a policy that connects to no endpoint includes the error of the source", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  source.setEndpoints([endpointAt(await closedPort())]);
  source.setError("unavailable", "kubernetes: the API server is away");
  const message = await failure(rig.client());
  assert.match(message, /ECONNREFUSED/);
  assert.match(message, /kubernetes: the API server is away/);
});

test("after idle the same instance starts again, and publishes nothing that it knew before", async (t) => {
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
  assert.deepEqual([a.calls.length, source.runs], [1, 2]);
});

test("a channel that comes back from idle while others use the source has the latest endpoints at once", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  const source = rig.source();
  source.setEndpoints([a.endpoint]);
  const idle = rig.client({ "grpc.client_idle_timeout_ms": 1_000 });
  const busy = rig.client();
  await Promise.all([call(idle), call(busy)]);
  await until(() => rig.resolvers.stats()[0]?.channels === 1, "one channel is idle");
  source.setEndpoints([b.endpoint]);
  await settled();
  assert.equal(await call(idle), "b");
  assert.equal(source.runs, 1);
});

// ── Below, the resolver alone, with a listener that records what grpc-js receives.

function start(t: { after(end: () => Promise<void>): void }, channelOptions: ChannelOptions = {}, wrong?: string) {
  const clock = new ManualClock();
  const source = new FakeSource();
  const running = new Set<DiscoveryResolver>();
  const warnings: string[] = [];
  const published: string[] = [];
  const notes: string[] = [];
  const configs: (ServiceConfig | undefined)[] = [];
  let onPublished = () => {};
  const listener: ResolverListener = (endpoints, _attributes, config, note) => {
    published.push(
      endpoints.ok ? endpoints.value.map(({ addresses }) => addresses.length).join() : endpoints.error.details,
    );
    notes.push(note);
    configs.push(config?.ok ? config.value : undefined);
    onPublished();
    return true;
  };
  const resolver = new DiscoveryResolver({
    target: "kubernetes:///server",
    listener,
    channelOptions,
    createSource: () => {
      if (wrong !== undefined) throw new RangeError(wrong);
      return source;
    },
    running,
    clock,
    warn: (message) => warnings.push(message),
    configName: "annotation grpc-lb.dev/service-config",
  });
  t.after(async () => {
    resolver.destroy();
    await settled();
    assert.deepEqual([clock.sleeping, source.openRuns, running.size], [0, 0, 0]);
    await assertNothingLeft();
  });
  return {
    clock,
    source,
    running,
    warnings,
    published,
    notes,
    configs,
    resolver,
    onPublished: (then: () => void) => (onPublished = then),
  };
}

test("50 requests for a resolution publish once more after 30 seconds, and start no run of the source", async (t) => {
  const { clock, source, published, resolver } = start(t);
  source.setEndpoints([endpointAt(1), endpointAt(2)]);
  resolver.updateResolution();
  await settled();
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  assert.deepEqual(published, ["1,1"]);
  clock.advance(29_999);
  await settled();
  assert.deepEqual(published, ["1,1"]);
  clock.advance(1);
  await settled();
  assert.deepEqual(published, ["1,1", "1,1"]);
  clock.advance(60_000);
  await settled();
  assert.deepEqual(
    [published.length, source.runs, clock.sleeping],
    [2, 1, 0],
    "nothing is published without a request",
  );
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.deepEqual([published.length, clock.sleeping], [3, 0], "the next storm is one more");
});

test("50 failing calls publish nothing new, and start no run of the source", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  source.setEndpoints([]);
  const client = rig.client();
  for (let n = 0; n < 50; n++) assert.equal(await failure(client), none);
  assert.deepEqual([source.runs, rig.clock.sleeping <= 1], [1, true]);
});

test("a replay that was requested before destroy does not come after it", async (t) => {
  const { clock, source, published, resolver } = start(t);
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  resolver.updateResolution();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.equal(published.length, 2);
  clock.advance(30_000);
  await settled();
  assert.equal(published.length, 2);
});

test("a replay that was requested before destroy does not come in the next run, which has its own", async (t) => {
  const { clock, source, published, resolver } = start(t);
  const other = source.subscribe(() => {});
  source.setEndpoints([endpointAt(1)]);
  await settled();
  resolver.updateResolution();
  resolver.updateResolution();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual([published, clock.sleeping], [["1", "1"], 0], "once a run");
  resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.equal(published.length, 3, "the new run's own replay");
  await other.close();
});

test("the next run publishes what is known then, be it the same or nothing, and nothing of the run before", async (t) => {
  const { clock, source, published, resolver } = start(t);
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual(published, ["1", "1"], "policies are new after idle, and have no endpoints");
  resolver.destroy();
  source.forget();
  resolver.updateResolution();
  resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.equal(published.length, 2, "nothing is known yet");
  source.setEndpoints([]);
  await settled();
  assert.deepEqual(published.slice(2), [none], "a new policy has no endpoints to lose");
  resolver.destroy();
  resolver.updateResolution();
  await settled();
  assert.deepEqual(published.slice(2), [none, none], "at once: the second between two messages is of one run");
});

test("an error that changes while the endpoints stay is not published to grpc-js, whose policies would start afresh", async (t) => {
  const { clock, source, published, configs, resolver } = start(t);
  let received = 0;
  const count = () => received++;
  subscribe(resolverChannels.snapshot, count);
  t.after(async () => void unsubscribe(resolverChannels.snapshot, count));
  const [one, two] = [endpointAt(1), endpointAt(2, 3)];
  source.setEndpoints([one, two]);
  resolver.updateResolution();
  await settled();
  for (const status of [500, 503, 500, 503]) {
    source.setError("unavailable", `kubernetes: watch endpointslices default/server: ${status}`);
    await settled();
  }
  assert.equal(resolver.latest?.error?.message, "kubernetes: watch endpointslices default/server: 503");
  source.setEndpoints([one, two], "{ no service config");
  await settled();
  clock.advance(60_000);
  await settled();
  assert.deepEqual([published, received], [["1,2"], 6]);
  for (const [endpoints, config] of [
    [[two, one], undefined],
    [[two], undefined],
    [[two, one], undefined],
    [[two, { ...one, weight: 2 }], undefined],
    [[two, one], annotation],
    [[two, one], annotation],
    [[two, one], undefined],
  ] as const) {
    source.setEndpoints(endpoints, config);
    await settled();
  }
  assert.deepEqual(
    published,
    ["1,2", "2,1", "2", "2,1", "2,1", "2,1", "2,1"],
    "order, number, content and config are news",
  );
  const policies = configs.slice(-2).map((config) => config?.loadBalancingConfig);
  assert.deepEqual(policies, [[{ pick_first: {} }], [{ round_robin: {} }]]);
});

test("a requested resolution publishes the error of an outage as its note", async (t) => {
  const { clock, source, published, notes, resolver } = start(t);
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
    [published, notes],
    [
      ["1", "1"],
      ["", "the API server is away"],
    ],
  );
});

test("without endpoints the message follows its reason at most once a second, and the last one wins", async (t) => {
  const { clock, source, published, resolver } = start(t);
  const fail = async (message: string, ms: number) => {
    source.setError("unavailable", message);
    await settled();
    clock.advance(ms);
    await settled();
  };
  resolver.updateResolution();
  await fail("500", 100);
  await fail("503", 100);
  await fail("500", 100);
  await fail("504", 699);
  assert.deepEqual(published, ["500"]);
  clock.advance(1);
  await settled();
  assert.deepEqual(published, ["500", "504"], "after a second, the last");
  await fail("500", 100);
  await fail("504", 5_000);
  assert.deepEqual(published, ["500", "504"], "the message that calls have already is not published again");
  await fail("504", 0);
  await fail("503", 0);
  assert.deepEqual([published.slice(2), clock.sleeping], [["503"], 0], "at once when the last one was long ago");
});

test("without endpoints another service config is published as another message is", async (t) => {
  const { clock, source, published, configs, resolver } = start(t);
  source.setEndpoints([]);
  resolver.updateResolution();
  await settled();
  source.setEndpoints([], annotation);
  await settled();
  assert.deepEqual(published, [none]);
  clock.advance(1_000);
  await settled();
  const policies = configs.map((config) => config?.loadBalancingConfig);
  assert.deepEqual(
    [published, policies],
    [
      [none, none],
      [[{ round_robin: {} }], [{ pick_first: {} }]],
    ],
  );
});

test("endpoints that come while a message waits are published at once, and the message is dropped", async (t) => {
  const { clock, source, published, resolver } = start(t);
  source.setEndpoints([]);
  resolver.updateResolution();
  await settled();
  source.setError("unavailable", "away");
  await settled();
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual(published, [none, "1"]);
  clock.advance(1_000);
  await settled();
  assert.deepEqual(published, [none, "1"]);
  source.setEndpoints([]);
  await settled();
  assert.deepEqual(
    published.slice(2),
    [none, none, none],
    "the loss of all endpoints is published at once, by way of two policies",
  );
});

test("calls fail with the API server's error for a Service that does not exist; during an outage of an empty set, with both", async (t) => {
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

test("a channel that a listener of the diagnostics channel closes receives nothing more", async (t) => {
  const { source, published, resolver } = start(t);
  const close = () => resolver.destroy();
  subscribe(resolverChannels.snapshot, close);
  t.after(async () => void unsubscribe(resolverChannels.snapshot, close));
  source.setEndpoints([endpointAt(1)]);
  resolver.updateResolution();
  await settled();
  assert.deepEqual([published, source.openRuns], [[], 0]);
});

test("destroy in any state, and twice, leaves nothing and publishes nothing more", async (t) => {
  const states: Record<string, (rig: ReturnType<typeof start>) => Promise<void> | void> = {
    "never started": () => {},
    "started, nothing known": ({ resolver }) => resolver.updateResolution(),
    "a snapshot just published": async ({ resolver, source }) => {
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
    const { length } = rig.published;
    rig.source.setEndpoints([endpointAt(2)]);
    await settled();
    assert.deepEqual([rig.published.length, rig.source.openRuns, rig.clock.sleeping], [length, 0, 0], state);
  }
});

test("grpc-js may destroy the resolver while it receives", async (t) => {
  for (const begin of ["endpoints", "none", "of a source that runs"]) {
    const { source, published, resolver, onPublished } = start(t);
    const other = begin === "of a source that runs" ? source.subscribe(() => {}) : undefined;
    source.setEndpoints([endpointAt(1)]);
    if (begin === "none") resolver.updateResolution();
    onPublished(() => {
      resolver.destroy();
      void other?.close();
    });
    if (begin === "none") source.setEndpoints([]);
    else resolver.updateResolution();
    await settled();
    assert.deepEqual([published.length, source.openRuns], [begin === "none" ? 2 : 1, 0], `${begin}: ${published}`);
  }
});

test("an endpoint that stays is the same object for grpc-js, from which endpointOf reads discovery's", async (t) => {
  const { source, resolver } = start(t);
  const seen: unknown[][] = [];
  const listening = new DiscoveryResolver({
    target: "kubernetes:///server",
    listener: (endpoints) => {
      if (endpoints.ok) seen.push(endpoints.value);
      return true;
    },
    channelOptions: {},
    createSource: () => source,
    clock: new ManualClock(),
    warn: () => {},
    running: new Set(),
  });
  const stays = endpointAt(1, 2);
  source.setEndpoints([stays, endpointAt(3)]);
  listening.updateResolution();
  await settled();
  source.setEndpoints([endpointAt(4), stays]);
  await settled();
  assert.equal(seen[0]?.[0], seen[1]?.[1]);
  const first = seen[0]?.[0] as ResolvedEndpoint;
  assert.equal(endpointOf(first), stays);
  assert.deepEqual(first.addresses, stays.addresses);
  listening.destroy();
  resolver.destroy();
});

test("a wrong target fails every call with its message, and does not reconnect", async (t) => {
  const { clock, published, resolver } = start(t, {}, "target: it names no service");
  resolver.updateResolution();
  for (let n = 0; n < 50; n++) resolver.updateResolution();
  clock.advance(30_000);
  await settled();
  assert.deepEqual(published, ["target: it names no service", "target: it names no service"]);
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

test("an annotation that grpc-js refuses is ignored, with one warning", async (t) => {
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

test("the channel's service config and grpc.service_config_disable_resolution keep the annotation out", async (t) => {
  const own = { methodConfig: [{ name: [{}], timeout: "0.25s" }] };
  for (const [options, want] of [
    [{ "grpc.service_config": JSON.stringify(own) }, [{ name: [{}], timeout: { seconds: 0, nanos: 250_000_000 } }]],
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
  ["channel", "0.25s"],
  ["annotation", "0.25s"],
] as const) {
  test(`a timeout of ${timeout} in the config of the ${where} gives a call 250 ms`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const config = JSON.stringify({ methodConfig: [{ name: [{}], timeout }] });
    rig.source().setEndpoints([a.endpoint], where === "annotation" ? config : undefined);
    const client = rig.client(where === "channel" ? { "grpc.service_config": config } : {});
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

test("a pod server of these tests leaves nothing when it has ended", async () => {
  const server = await PodServer.start("a");
  await server.drain();
  await assertNothingLeft();
});
