import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { watchMethod } from "../../testing/backend.ts";
import { endpoint, FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { Probe } from "../../testing/probe.ts";
import { call, failure, type PodClient, Rig, turn, until, untilAllAnswer } from "../../testing/rig.ts";
import { type PickResult, PickResultType, type Subchannel } from "../grpc-js.ts";
import { leastRequest } from "../policies/least-request.ts";
import { registerPoliciesIn, registerPolicy } from "../registration/register.ts";
import { CallTracker } from "./call-tracker.ts";
import type { Child } from "./child.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import type { CallEnd, Policy } from "./policy.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(11), ...noWaits });

const ends: CallEnd[] = [];
let onEnd: (child: Child, end: CallEnd) => void = () => {};
const listening: Policy<Awaited<ReturnType<typeof leastRequest.parseConfig>>, undefined> = {
  ...leastRequest,
  createInstance: (context) => ({
    ...leastRequest.createInstance(context),
    onCallEnded: (child, end) => {
      ends.push(end);
      onEnd(child as Child, end);
    },
  }),
};

let names = 0;

/** A probe of a policy that counts calls, and the JSON that names it. */
function probed() {
  names += 1;
  const probe = new Probe(`counting_${names}`, listening);
  registerPolicy(probe.policy);
  ends.length = 0;
  onEnd = () => {};
  return { probe, policy: { [probe.policy.name]: {} } };
}

function opened() {
  const { probe, policy } = probed();
  const channel = new FakeChannel(policy);
  channel.update([endpoint(one)]);
  channel.connect();
  return { probe, channel };
}

const one = "10.0.0.1:80";
const metadata = new Metadata();

test("a burst in one tick is counted at the pick, and once", async () => {
  const { probe, channel } = opened();
  const calls = Array.from({ length: 50 }, () => channel.pick(metadata));
  assert.deepEqual(probe.inFlight, { [one]: 50 });
  assert.equal(probe.input?.calls.inFlight, 50);
  for (const call of calls) call?.start();
  assert.deepEqual(probe.inFlight, { [one]: 50 });
  await turn();
  assert.deepEqual(probe.inFlight, { [one]: 50 });
  for (const call of calls) call?.end();
  assert.deepEqual(probe.inFlight, {});
  assert.equal(probe.input?.calls.inFlight, 0);
  channel.balancer.destroy();
});

test("a pick that has not started when the turn ends is given up, and counted again when it starts", async () => {
  const { probe, channel } = opened();
  const [late, never] = [channel.pick(metadata), channel.pick(metadata)];
  assert.deepEqual(probe.inFlight, { [one]: 2 });
  await turn();
  assert.deepEqual(probe.inFlight, {}, "both are given up");
  late?.start();
  assert.deepEqual(probe.inFlight, { [one]: 1 });
  await turn();
  assert.deepEqual(probe.inFlight, { [one]: 1 });
  late?.end(status.OK);
  never?.end(status.CANCELLED);
  assert.deepEqual(probe.inFlight, {}, "one that never started does not end");
  assert.deepEqual(
    ends.map(({ status }) => status),
    [status.OK],
  );
  channel.balancer.destroy();
});

test("picks of a later turn are given up at the end of that turn", async () => {
  const { probe, channel } = opened();
  channel.pick(metadata);
  await turn();
  channel.pick(metadata);
  assert.deepEqual(probe.inFlight, { [one]: 1 });
  await turn();
  assert.deepEqual(probe.inFlight, {});
  channel.balancer.destroy();
});

test("an end that is reported twice counts once", () => {
  const { probe, channel } = opened();
  const [first, second] = [channel.pick(metadata), channel.pick(metadata)];
  first?.start();
  second?.start();
  first?.end();
  first?.end();
  assert.deepEqual(probe.inFlight, { [one]: 1 });
  assert.equal(ends.length, 1);
  channel.balancer.destroy();
});

test("the duration of a call is from its start to its end, and the policy gets its status and trailers", () => {
  const { channel } = opened();
  const call = channel.pick(metadata);
  clock.advance(70);
  call?.start();
  clock.advance(30);
  const trailer = new Metadata();
  call?.end(status.ABORTED, trailer);
  assert.deepEqual(ends, [{ durationMs: 30, isLong: false, status: status.ABORTED, metadata: trailer }]);
  channel.balancer.destroy();
});

test("an endpoint is silent since its first call or its last response; a pick that is given up is neither", async () => {
  const { probe, channel } = opened();
  const [child] = probe.input?.children ?? [];
  const since = () => clock.now() - (child?.silentSinceMs ?? Number.NaN);
  clock.advance(1_000);
  const [first, second] = [channel.pick(metadata), channel.pick(metadata)];
  first?.start();
  second?.start();
  clock.advance(10);
  assert.equal(since(), 10);
  channel.pick(metadata);
  assert.equal(since(), 10, "another call is not a response");
  await turn();
  assert.equal(since(), 10, "nor is one that never started");
  first?.end();
  assert.equal(since(), 0);
  clock.advance(5);
  assert.equal(since(), 5);
  channel.pick(metadata);
  await turn();
  assert.equal(since(), 5, "nor with a single call");
  second?.end();
  clock.advance(100);
  channel.pick(metadata)?.start();
  assert.equal(since(), 0, "no call was in flight in between");
  channel.balancer.destroy();
});

test("the count goes down before the policy receives the end", () => {
  const { channel } = opened();
  const counts: number[] = [];
  onEnd = ({ inFlight }) => counts.push(inFlight);
  const call = channel.pick(metadata);
  call?.start();
  call?.end();
  assert.deepEqual(counts, [0]);
  channel.balancer.destroy();
});

/** Three real servers, all connected, behind a policy that counts. */
async function real(t: TestContext, methodConfig: readonly object[] = []) {
  const rig = new Rig(t);
  const [a, b, c] = await rig.start("a", "b", "c");
  const { probe, policy } = probed();
  const client = rig.client(policy, {}, methodConfig);
  rig.publish([a, b, c]);
  await untilAllAnswer(client, a, b, c);
  const total = () => probe.input?.calls.inFlight;
  return { rig, a, b, c, probe, client, total, address: ({ port }: { port: number }) => `127.0.0.1:${port}` };
}

/** How many of these calls succeed; the others are given by their status. */
async function outcome(calls: readonly Promise<string>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.allSettled(calls)) {
    const name = result.status === "fulfilled" ? "OK" : (status[result.reason.code] ?? "?");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** A call that can be cancelled. */
function cancellable(client: PodClient, options: { credentials?: ReturnType<typeof late>["credentials"] } = {}) {
  let cancel = () => {};
  const ended = new Promise<string>((resolve, reject) => {
    const call = client.getPod({}, new Metadata(), options, (error) => (error ? reject(error) : resolve("OK")));
    cancel = () => call.cancel();
  });
  return { ended, cancel: () => cancel() };
}

/** Call credentials that the test releases. */
function late() {
  const waiting: (() => void)[] = [];
  const generator = credentials.createFromMetadataGenerator((_params, done) => {
    waiting.push(() => done(null, new Metadata()));
  });
  const give = () => {
    for (const one of waiting.splice(0)) one();
  };
  return { credentials: generator, waiting, give };
}

test("real servers: calls in flight are counted per endpoint, and the counts are 0 after the responses", async (t) => {
  const { a, b, c, probe, client, total, address } = await real(t);
  for (const backend of [a, b, c]) backend.hold();
  const calls = Array.from({ length: 30 }, () => call(client));
  const before = [a, b, c].map(({ calls }) => calls);
  const come = () => [a, b, c].reduce((sum, { calls }, i) => sum + calls - (before[i] ?? 0), 0);
  await until(() => come() === 30, "30 calls at the servers");
  const at = (backend: typeof a, i: number) => [address(backend), backend.calls - (before[i] ?? 0)];
  assert.deepEqual(probe.inFlight, Object.fromEntries([a, b, c].map(at)));
  for (const backend of [a, b, c]) backend.answer();
  assert.deepEqual(await outcome(calls), { OK: 30 });
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("real servers: calls that are cancelled while they wait for credentials leave no count", async (t) => {
  const { probe, client, total } = await real(t);
  const { credentials, waiting, give } = late();
  const calls = Array.from({ length: 10 }, () => cancellable(client, { credentials }));
  await until(() => waiting.length === 10, "all calls ask for credentials");
  await turn();
  assert.deepEqual(probe.inFlight, {}, "no call has started");
  for (const { cancel } of calls.slice(0, 6)) cancel();
  give();
  assert.deepEqual(await outcome(calls.map(({ ended }) => ended)), { CANCELLED: 6, OK: 4 });
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("real servers: when a connection is lost between pick and start, the call is picked again", async (t) => {
  const { a, b, c, probe, client, total } = await real(t);
  const { credentials, waiting, give } = late();
  const before = c.calls;
  const calls = Array.from({ length: 12 }, () => cancellable(client, { credentials }));
  await until(() => waiting.length === 12, "all calls ask for credentials");
  a.kill();
  b.kill();
  await until(() => probe.input?.ready.length === 1, "both connections are lost");
  give();
  await until(() => waiting.length > 0, "those that are picked again ask again");
  assert.ok(waiting.length < 12, "those at the third server go on");
  give();
  assert.deepEqual(await outcome(calls.map(({ ended }) => ended)), { OK: 12 });
  assert.equal(c.calls - before, 12);
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("real servers: calls that end by deadline, cancellation or failure leave the count", async (t) => {
  const { a, b, c, probe, client, total } = await real(t);
  a.freeze();
  b.fail(status.INTERNAL);
  c.hold();
  const timed = Array.from({ length: 9 }, () => call(client, { deadline: Date.now() + 100 }));
  const cancelled = Array.from({ length: 9 }, () => cancellable(client));
  const outcomes = outcome([...timed, ...cancelled.map(({ ended }) => ended)]);
  await until(() => a.calls + c.calls >= 8, "calls at the servers that do not answer");
  for (const { cancel } of cancelled) cancel();
  const { DEADLINE_EXCEEDED = 0, CANCELLED = 0, ...others } = await outcomes;
  assert.ok(DEADLINE_EXCEEDED > 0 && CANCELLED > 0, `${DEADLINE_EXCEEDED} timed out, ${CANCELLED} cancelled`);
  assert.deepEqual(
    Object.keys(others).filter((name) => name !== "INTERNAL"),
    [],
  );
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("real servers: each attempt of a retried call is counted separately", async (t) => {
  const retryPolicy = {
    maxAttempts: 4,
    initialBackoff: "0.001s",
    maxBackoff: "0.002s",
    backoffMultiplier: 1,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  const { a, b, c, probe, client, total } = await real(t, [{ name: [{}], retryPolicy }]);
  ends.length = 0;
  for (const backend of [a, b, c]) backend.fail(status.UNAVAILABLE);
  assert.match(await failure(client), /^UNAVAILABLE: [abc] fails$/);
  assert.deepEqual(
    ends.map((end) => end.status),
    Array(4).fill(status.UNAVAILABLE),
  );
  a.answer();
  const counts = await outcome(Array.from({ length: 20 }, () => call(client)));
  assert.equal((counts.OK ?? 0) + (counts.UNAVAILABLE ?? 0), 20, JSON.stringify(counts));
  assert.ok((counts.OK ?? 0) > 0);
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("real servers: a stream counts until it is cancelled or the server ends it", async (t) => {
  const { a, b, c, probe, client, total } = await real(t);
  const { path, requestSerialize, responseDeserialize } = watchMethod;
  const streams = Array.from({ length: 6 }, () => {
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(0));
    const begun = new Promise<void>((resolve) => stream.once("data", () => resolve()));
    const ended = new Promise<string>((resolve) => stream.on("status", ({ code }) => resolve(status[code] ?? "?")));
    stream.on("error", () => {}); // the status event reports it
    return { stream, begun, ended };
  });
  await Promise.all(streams.map(({ begun }) => begun));
  assert.equal(total(), 6);
  for (const { stream } of streams.slice(0, 3)) stream.cancel();
  assert.deepEqual(await Promise.all(streams.slice(0, 3).map(({ ended }) => ended)), Array(3).fill("CANCELLED"));
  assert.equal(total(), 3);
  for (const backend of [a, b, c]) backend.answer();
  assert.deepEqual(await Promise.all(streams.slice(3).map(({ ended }) => ended)), Array(3).fill("OK"));
  assert.equal(total(), 0);
  assert.deepEqual(probe.inFlight, {});
});

test("real servers: the calls of a killed server fail, and a draining one responds to them first", async (t) => {
  const { rig, a, b, c, probe, client, total } = await real(t);
  for (const backend of [a, b, c]) backend.hold();
  const seen = a.calls + b.calls + c.calls;
  const calls = Array.from({ length: 30 }, () => call(client));
  const outcomes = outcome(calls);
  await until(() => a.calls + b.calls + c.calls === seen + 30, "30 calls at the servers");
  const atA = probe.inFlight[`127.0.0.1:${a.port}`] ?? 0;
  assert.ok(atA > 0, "calls at the one that is killed");
  a.kill();
  const drained = b.drain();
  rig.publish([c]);
  b.answer();
  c.answer();
  await drained;
  const { OK = 0, ...failed } = await outcomes;
  assert.equal(OK, 30 - atA, JSON.stringify(failed));
  assert.equal(
    Object.values(failed).reduce((sum, count) => sum + count, 0),
    atA,
  );
  assert.deepEqual(probe.inFlight, {});
  assert.equal(total(), 0);
});

test("the callbacks of an inner pick result are called at start and end", () => {
  const { probe, channel } = opened();
  const [child] = probe.input?.children ?? [];
  assert.ok(child);
  const events: unknown[] = [];
  const inner: PickResult = {
    pickResultType: PickResultType.COMPLETE,
    subchannel: channel.at(one) as unknown as Subchannel,
    status: null,
    onCallStarted: () => events.push("started"),
    onCallEnded: (...end) => events.push(end),
  };
  const tracker = new CallTracker({
    clock,
    onCallEnded: () => events.push("the policy"),
    failedAttempts: new FailedAttempts(),
  });
  const result = tracker.track(child as Child, inner, { metadata: new Metadata(), extraPickInfo: {} });
  const trailer = new Metadata();
  result.onCallStarted?.();
  result.onCallEnded?.(status.ABORTED, "why", trailer);
  assert.deepEqual(events, ["started", "the policy", [status.ABORTED, "why", trailer]]);
  channel.balancer.destroy();
});
