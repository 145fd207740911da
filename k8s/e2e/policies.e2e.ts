/**
 * The balancing policies on a real cluster: client-grpc in pods, one for each policy at the same time, over servers of which one
 * is slow; keys that keep their pod while servers are added; and a zone whose servers disappear and return.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { describeCalls } from "./client.ts";
import { buildImages } from "./images.ts";
import { type KeyedLoad, startKeyedLoad } from "./keyed-load.ts";
import { watchLoadReports } from "./load-reports.ts";
import { makeFails, makeOk } from "./make.ts";
import { type ClientEnv, callsToBe, clientsToEnd, readClientOf, startClients } from "./policy-client.ts";
import {
  deployVariant,
  type ServerPod,
  type ServerVariant,
  scaleVariants,
  serversToBe,
  zonesOf,
} from "./server-variant.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd } = await beginStory("policies");
const zones = (await zonesOf(kubectl)).slice(0, 2);
const hasZones = zones.length === 2;
registerResolvers();
registerPolicies();

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const shareOf = (calls: readonly string[], pod: string) => calls.filter((call) => call === pod).length / calls.length;

/**
 * Settings of every server: calls take long enough that some are in flight and that a busy machine's delays are small in
 * comparison, and there is capacity for all of them.
 */
const busy = { LATENCY: "100ms", CAPACITY: "64", LOAD_REPORT: "true" };

step(
  "make kube-deploy STRATEGY=resolver POLICY=least_request; an invalid policy is an error before that",
  async (t) => {
    await buildImages();
    report(
      t,
      await makeFails("kube-deploy", { ...inNamespace, STRATEGY: "resolver", POLICY: "fastest" }, /must be one of/),
    );
    report(t, await makeFails("kube-deploy", { ...inNamespace, POLICY: "least_request" }, /nothing to choose from/));
    await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver", POLICY: "least_request" });
    const policyLine = await until("the line of the client's policy", 10_000, async () => {
      const text = await kubectl.run(["logs", "deployment/client-grpc"]);
      const line = text.split("\n").find((one) => one.startsWith("Policy: "));
      return line === undefined ? { seen: text.slice(0, 200) } : { value: line };
    });
    report(t, policyLine);
    assert.match(policyLine, /^Policy: least_request /);
  },
);

step("servers of one Service, two in a zone, one in another, one of them slow", async (t) => {
  await kubectl.run(["scale", "deployment/server", "deployment/client-http", "deployment/client-grpc", "--replicas=0"]);
  const variants: readonly ServerVariant[] = [
    { name: "server-a", replicas: 2, env: busy, zone: zones[0] },
    { name: "server-b", replicas: 1, env: busy, zone: hasZones ? zones[1] : undefined },
    { name: "server-slow", replicas: 1, env: { ...busy, LATENCY: "1s" }, zone: undefined },
  ];
  await Promise.all(variants.map((variant) => deployVariant(kubectl, variant)));
  const servers = await serversToBe(kubectl, { "server-a": 2, "server-b": 1, "server-slow": 1 });
  report(t, servers.map(({ name }) => name).join(", "));
});

step("one pod of four is ten times as slow: the share that each policy gives it", async (t) => {
  const servers = await serversToBe(kubectl, { "server-a": 2, "server-b": 1, "server-slow": 1 });
  const pods = servers.map(({ name }) => name);
  const slow = servers.findIndex(({ variant }) => variant === "server-slow");
  const warmUp = 100; // connections open, latencies and reports come in
  const common: ClientEnv = { CONCURRENCY: "8", INTERVAL: "1ms" };
  const policies = {
    "round-robin": "round_robin",
    "least-request": "least_request",
    "peak-ewma": "peak_ewma",
    weighted: 'weighted_round_robin{"blackoutPeriod":"1s","weightUpdatePeriod":"0.2s"}',
  };
  const names = Object.keys(policies) as (keyof typeof policies)[];
  // round_robin waits for the slow pod in every turn and makes half as many calls in the same time.
  const countOf = (name: string) => String(warmUp + (name === "round-robin" ? 200 : 500));
  const clients = names.map((name) => [name, { ...common, COUNT: countOf(name), POLICY: policies[name] }]);
  await startClients(kubectl, "shares", Object.fromEntries(clients));
  const reports = watchLoadReports(servers.map(({ ip }) => `${ip}:30051`));
  await clientsToEnd(kubectl, "shares").finally(() => reports.stop());

  const shares: Partial<Record<keyof typeof policies, readonly number[]>> = {};
  for (const name of names) {
    const { calls, errors, others } = await readClientOf(kubectl, "shares", name);
    assert.deepEqual([errors, others], [[], []], `${name} has failed calls or other lines`);
    const window = calls.slice(warmUp);
    shares[name] = pods.map((pod) => shareOf(window, pod));
    report(t, `${name}: ${describeCalls(window, pods)}, the slow one ${percent(shareOf(window, pods[slow] ?? ""))}`);
  }
  const shareOfSlow = (name: keyof typeof policies) => shares[name]?.[slow] ?? Number.NaN;

  // Exact by the start of calls; of the 8 calls in flight at the start of the window, most are the slow pod's and count in it.
  assert.ok(
    Math.abs(shareOfSlow("round-robin") - 1 / 4) <= 10 / 200,
    `round_robin: want 25 % ± 5, got ${percent(shareOfSlow("round-robin"))}`,
  );
  // Of two pods the one with fewer calls is picked, so with 8 in flight the slow one never has more than 4: 4 calls a second,
  // while the other 4 are served at 100 ms each, 40 a second. That is 9 %; half of an even share leaves room for a busy machine.
  assert.ok(
    shareOfSlow("least-request") <= 1 / 8,
    `least_request: want <= 12.5 %, got ${percent(shareOfSlow("least-request"))}`,
  );
  assert.ok(shareOfSlow("least-request") > 0, "least_request must still use the slow pod");
  // One call of 1 s outweighs 100 ms for each of up to 8 calls in flight: it is tried again only when its latency has decayed.
  assert.ok(shareOfSlow("peak-ewma") <= 0.02, `peak_ewma: want <= 2 %, got ${percent(shareOfSlow("peak-ewma"))}`);
  const weights = reports.weights();
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const wanted = weights.map((weight) => weight / total);
  report(
    t,
    `shares by the load reports: ${wanted.map(percent).join(", ")}; got ${shares.weighted?.map(percent).join(", ")}`,
  );
  for (const [index, want] of wanted.entries()) {
    const got = shares.weighted?.[index] ?? Number.NaN;
    assert.ok(
      Math.abs(got - want) <= 0.05,
      `weighted_round_robin, ${pods[index]}: want ${percent(want)}, got ${percent(got)}`,
    );
  }
  const ratio = shareOfSlow("weighted") / (wanted[slow] ?? Number.NaN);
  assert.ok(ratio > 0.5 && ratio < 2, `weighted_round_robin: the slow pod got ${ratio} times its share by the reports`);
});

// A fixed number of ring entries for each endpoint: then no key moves between pods that stay (gRFC A42 permits such moves).
const ring = { entriesPerEndpoint: 400 };
const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
const podKeys = keys.slice(0, 3);
let load: KeyedLoad | undefined;

/** Waits until each key has been called `count` more times. */
async function roundsMore(load: KeyedLoad, count: number): Promise<void> {
  const wanted = load.rounds() + count;
  await until(`${count} calls of every key`, 30_000, async () =>
    load.rounds() >= wanted ? { value: true } : { seen: `${load.rounds()} of ${wanted}, ${load.errors.at(-1)}` },
  );
}

/** Waits until the keys reach exactly these pods, and then for two more rounds, because calls may be in flight. */
async function keysReach(load: KeyedLoad, pods: readonly string[]): Promise<void> {
  await until(`keys at ${pods.length} pods`, 30_000, async () => {
    const reached = new Set([...load.trails.values()].map((trail) => trail.at(-1) ?? "none"));
    const isSame = reached.size === pods.length && pods.every((pod) => reached.has(pod));
    return isSame ? { value: true } : { seen: [...reached].join(", ") };
  });
  await roundsMore(load, 2);
}

/** The clients in the pod must reach the same pods for their keys as this process. */
async function requireAgreement(t: TestContext, load: KeyedLoad): Promise<void> {
  const reached = podKeys.map(async (key) => {
    const pod = load.trails.get(key)?.at(-1) ?? "none";
    await callsToBe(kubectl, "sticky", key, { count: 20, pods: [pod] });
    return `${key} → ${pod}`;
  });
  report(t, `the same pod inside and outside the cluster: ${(await Promise.all(reached)).join(", ")}`);
}

/** The client in the first zone must call exactly these pods. */
async function requireLocal(t: TestContext, what: string, pods: readonly string[]): Promise<void> {
  const calls = await callsToBe(kubectl, "sticky", "local", { count: 40, pods });
  report(t, `${what}: ${describeCalls(calls, pods)}`);
}

const namesOf = (servers: readonly ServerPod[], variant: string) =>
  servers.filter((server) => server.variant === variant).map(({ name }) => name);

step("ring_hash maps each key to one pod, the same inside and outside the cluster", async (t) => {
  const common: ClientEnv = { INTERVAL: "5ms", CONCURRENCY: "4" };
  const hashing = Object.fromEntries(
    podKeys.map((key) => [key, { ...common, POLICY: `ring_hash${JSON.stringify(ring)}`, HASH_KEY: key }]),
  );
  const inZone = { ...common, POLICY: "locality", ZONE: zones[0] ?? "" };
  await startClients(kubectl, "sticky", { ...hashing, ...(hasZones ? { local: inZone } : {}) });
  const servers = await scaleVariants(kubectl, { "server-slow": 0, "server-a": 2, "server-b": 1 });
  load = stopAtEnd(
    startKeyedLoad({
      target: `kubernetes:///server.${namespace}:grpc`,
      policy: { ring_hash: { ...ring, requestHashHeader: "hash-key" } },
      keys,
      intervalMs: 500,
    }),
  );
  const pods = servers.map(({ name }) => name);
  await keysReach(load, pods); // the connections are open
  load.clear();
  await roundsMore(load, 3);
  for (const [key, trail] of load.trails) assert.equal(trail.length, 1, `${key} went to ${trail}`);
  const owners = [...load.trails.values()].flat();
  report(t, describeCalls(owners, pods).replace("calls", "keys"));
  assert.equal(new Set(owners).size, 3, "every pod has keys");
  await requireAgreement(t, load);
});

step("3 → 5 pods: keys move only to the new pods, each once or twice, and no call fails", async (t) => {
  assert.ok(load, "the step before started it");
  const before = new Map([...load.trails].map(([key, [pod]]) => [key, pod]));
  const servers = await scaleVariants(kubectl, { "server-slow": 0, "server-a": 2, "server-b": 3 });
  const pods = servers.map(({ name }) => name);
  const olds = new Set(before.values());
  const news = pods.filter((pod) => !olds.has(pod));
  await keysReach(load, pods);
  let moved = 0;
  for (const [key, [first, ...rest]] of load.trails) {
    assert.equal(first, before.get(key));
    assert.ok(
      rest.every((pod) => news.includes(pod)),
      `${key} moved to an old pod: ${[first, ...rest].join(" → ")}`,
    );
    assert.equal(new Set(rest).size, rest.length, `${key} went back: ${[first, ...rest].join(" → ")}`);
    if (rest.length > 0) moved += 1;
  }
  report(
    t,
    `${moved} of ${keys.length} keys moved, all of them to the 2 new pods of 5; ${load.errors.length} calls failed`,
  );
  assert.deepEqual([...new Set(load.errors)], []);
  // 2/5 of 200 are 80, ± 7 by chance and ± 7 because the pods' parts of the ring are not equal.
  assert.ok(moved >= 40 && moved <= 120, `want about 80 of 200 keys to move, got ${moved}`);
  await requireAgreement(t, load);
  await load.stop();
});

zoneStep("locality: calls stay in their zone, leave it when its last server is gone, and return", async (t) => {
  const count = (a: number) => scaleVariants(kubectl, { "server-slow": 0, "server-a": a, "server-b": 3 });
  const servers = await count(2);
  await requireLocal(t, `a client in ${zones[0]}`, namesOf(servers, "server-a"));
  await requireLocal(t, `no server left in ${zones[0]}`, namesOf(await count(0), "server-b"));
  await requireLocal(t, `servers in ${zones[0]} again`, namesOf(await count(2), "server-a"));
});

step("no client had a failed call in this story", async (t) => {
  for (const client of [...podKeys, ...(hasZones ? ["local"] : [])]) {
    const { calls, errors, others } = await readClientOf(kubectl, "sticky", client);
    assert.deepEqual([errors, others], [[], []], `${client} has failed calls or other lines`);
    report(t, `${client}: ${calls.length} calls, 0 errors`);
  }
  await kubectl.run(["delete", "pods", "-l", "app=client-policies", "--wait=false"]);
});

/** A step that needs nodes in two zones; skipped with a reason without them. */
function zoneStep(name: string, body: Step): void {
  if (hasZones) step(name, body);
  else test(name, { skip: "the cluster has no ready nodes in two zones (topology.kubernetes.io/zone)" }, () => {});
}
