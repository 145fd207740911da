import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import {
  assertRefused,
  assertShares,
  ClosedLoop,
  closeChannel,
  endpoints,
  openChannel,
  spread,
  take,
} from "../../../testing/fake-calls.ts";
import type { FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { connectivityState } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";

const clock = new ManualClock();
const seeds = [1, 2, 2026];

const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;

function open(config: object = {}, count = 2): FakeChannel {
  return openChannel({ peak_ewma: config }, endpoints(count));
}

/** Makes each endpoint respond to one concurrent call after the given milliseconds. */
function teach(channel: FakeChannel, latencies: readonly number[]): void {
  const calls = latencies.map(() => take(channel)).sort((a, b) => (a.address < b.address ? -1 : 1));
  assert.equal(new Set(calls.map(({ address }) => address)).size, latencies.length, "each endpoint has a call");
  let elapsedMs = 0;
  for (const [ms, call] of latencies.map((ms, i) => [ms, calls[i]] as const).sort(([a], [b]) => a - b)) {
    clock.advance(ms - elapsedMs);
    elapsedMs = ms;
    call?.end();
  }
}

/** A call on one endpoint, while calls on the others keep it from going there. */
function callOn(channel: FakeChannel, address: string, ms: number, code: number): void {
  const calls = [];
  do calls.push(take(channel));
  while (calls.at(-1)?.address !== address && calls.length < 1_000);
  clock.advance(ms);
  assert.equal(calls.at(-1)?.address, address);
  for (const call of calls) call.end(call.address === address ? code : status.OK);
}

test("two endpoints that were never tried get one of the first two calls each", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open({}, 2);
    const first = [take(channel), take(channel)].map(({ address }) => address);
    assert.deepEqual(first.sort(), [one, two]);
    closeChannel(channel, clock);
  }
});

test("an endpoint that joins faster ones gets its first call at once", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open();
    teach(channel, [2, 2]);
    channel.update(endpoints(3));
    channel.connect(three);
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 300, concurrency: 1, answers: () => ({ ms: 2 }) });
    const came = loop.started[three] ?? 0;
    assert.ok(came >= 30 && came <= 200, `seed ${seed}: want it to take part, got ${came} of 300`);
    closeChannel(channel, clock);
  }
});

test("while its first call is in flight an endpoint counts as having the default latency", () => {
  for (const [defaultRtt, want] of [
    ["30ms", 5], // 30 ms * 2 calls are as much as 10 ms * 6
    ["10ms", 1],
    ["100ms", 19],
  ] as const) {
    registerPoliciesIn({ clock, random: createRandom(3), ...noWaits });
    const channel = openChannel({ peak_ewma: { defaultRtt } }, endpoints(1));
    teach(channel, [10]);
    channel.update(endpoints(2));
    channel.connect(two);
    assert.equal(take(channel).address, two);
    let came = 0;
    while (came < 100 && take(channel).address === one) came += 1;
    assert.ok(came === want || came === want + 1, `${defaultRtt}: want ${want} or 1 more on the other, got ${came}`);
    closeChannel(channel, clock);
  }
});

test("picks depend on latency and on calls in flight", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const channel = open();
  teach(channel, [10, 30]);
  const counts: Record<string, number> = { [one]: 0, [two]: 0 };
  for (let n = 0; n < 400; n++) {
    const { address } = take(channel);
    counts[address] = (counts[address] ?? 0) + 1;
  }
  const faster = counts[one] ?? 0;
  assert.ok(Math.abs(faster - 300) <= 3, `want 3 of 4 calls on the one that is 3 times as fast, got ${faster} of 400`);
  closeChannel(channel, clock);
});

test("a slow endpoint is avoided", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open({}, 3);
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 6_000, concurrency: 6, answers: (address) => ({ ms: address === two ? 300 : 10 }) });
    const share = (loop.started[two] ?? 0) / 6_000;
    assert.ok(share > 0 && share < 0.01, `seed ${seed}: want under 1 %, where equal parts are 33 %, got ${share}`);
    closeChannel(channel, clock);
  }
});

test("an endpoint that becomes slow is avoided after one response, and takes calls again when it is fast", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open({ decay: "1s" }, 3);
    const run = (slowMs: number, calls: number) => {
      const loop = new ClosedLoop(channel, clock);
      loop.run({ calls, concurrency: 3, answers: (address) => ({ ms: address === two ? slowMs : 10 }) });
      return (loop.started[two] ?? 0) / calls;
    };
    const before = run(10, 900);
    const slow = run(500, 900);
    run(10, 1_500);
    const after = run(10, 900);
    assert.ok(before > 0.2 && before < 0.46, `seed ${seed}: want about a third before, got ${before}`);
    assert.ok(slow < 0.02, `seed ${seed}: want next to nothing while slow, got ${slow}`);
    assert.ok(after > 0.2 && after < 0.46, `seed ${seed}: want about a third after, got ${after}`);
    closeChannel(channel, clock);
  }
});

test("an endpoint that fails at once does not count as fast, and is tried again later", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open({ decay: "1s" }, 3);
    const run = (isBroken: boolean, calls: number) => {
      const loop = new ClosedLoop(channel, clock);
      const broken = { ms: 1, status: status.UNAVAILABLE };
      loop.run({ calls, concurrency: 3, answers: (address) => (isBroken && address === two ? broken : { ms: 10 }) });
      return (loop.started[two] ?? 0) / calls;
    };
    const failing = run(true, 3_000); // 15 s
    const again = run(false, 3_000);
    const after = run(false, 900);
    assert.ok(failing < 0.01, `seed ${seed}: want under 1 % of the calls to fail, got ${failing}`);
    assert.ok(failing * 3_000 >= 2, `seed ${seed}: want it to be tried again, got ${failing * 3_000} calls`);
    assert.ok(again > 0.1, `seed ${seed}: want it back, got ${again}`);
    assert.ok(after > 0.2 && after < 0.46, `seed ${seed}: want about a third in the end, got ${after}`);
    closeChannel(channel, clock);
  }
});

test("a frozen endpoint is avoided at once although its calls do not end, and takes calls again when they do", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = open({ decay: "1s" }, 3);
    new ClosedLoop(channel, clock).run({ calls: 300, concurrency: 6, answers: () => ({ ms: 10 }) });
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 3_000, concurrency: 30, answers: (address) => (address === two ? undefined : { ms: 10 }) });
    // The first 30 come before anybody can know; of those that follow, next to none.
    assert.ok(
      loop.frozen.length <= 13,
      `seed ${seed}: want at most a third of 30 and a few, got ${loop.frozen.length}`,
    );
    for (const call of loop.frozen) call.end();
    const back = new ClosedLoop(channel, clock);
    back.run({ calls: 6_000, concurrency: 6, answers: () => ({ ms: 10 }) });
    const share = (back.started[two] ?? 0) / 6_000;
    assert.ok(share > 0.15, `seed ${seed}: want it back within some decays, got ${share}`);
    closeChannel(channel, clock);
  }
});

test("an endpoint with a call in flight counts as slow as it has been silent", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const channel = open();
  teach(channel, [10, 10]);
  const owed = take(channel);
  const other = owed.address === one ? two : one;
  clock.advance(1_000);
  for (let n = 0; n < 100; n++) assert.equal(take(channel).address, other, `call ${n}`);
  closeChannel(channel, clock);
});

test("statuses that blame the server count as slow, those that blame the call do not", () => {
  const server = ["UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE"];
  const wanted = new Set([...server, "DATA_LOSS"]);
  for (let code = 0; code <= 16; code++) {
    registerPoliciesIn({ clock, random: createRandom(4), ...noWaits });
    const channel = open();
    teach(channel, [1, 5]);
    callOn(channel, one, 1, code);
    const isLeft = take(channel).address === two;
    assert.equal(isLeft, wanted.has(status[code] ?? ""), `${status[code]}: want ${wanted.has(status[code] ?? "")}`);
    closeChannel(channel, clock);
  }
});

test("a call that the client cancelled counts only when it was slower than the estimate", () => {
  for (const [ms, isLeft] of [
    [1, false],
    [20, true],
  ] as const) {
    registerPoliciesIn({ clock, random: createRandom(4), ...noWaits });
    const channel = open();
    teach(channel, [4, 8]);
    const call = take(channel);
    assert.equal(call.address, one);
    clock.advance(ms);
    call.end(status.CANCELLED);
    assert.equal(take(channel).address, isLeft ? two : one, `cancelled after ${ms} ms`);
    closeChannel(channel, clock);
  }
});

test("an endpoint whose calls are all cancelled early is not tried first every time", () => {
  registerPoliciesIn({ clock, random: createRandom(4), ...noWaits });
  const channel = openChannel({ peak_ewma: {} }, endpoints(1));
  teach(channel, [5]);
  channel.update(endpoints(2));
  channel.connect(two);
  const first = take(channel);
  assert.equal(first.address, two);
  clock.advance(2);
  first.end(status.CANCELLED);
  assert.equal(take(channel).address, one, "which takes 5 ms, not 30");
  closeChannel(channel, clock);
});

test("a latency counts 1/e after each decay time, so that an avoided endpoint is tried again", () => {
  for (const [waitMs, isTried] of [
    [2_200, false],
    [2_400, true],
  ] as const) {
    registerPoliciesIn({ clock, random: createRandom(4), ...noWaits });
    const channel = open({ decay: "1s" });
    teach(channel, [10, 100]);
    clock.advance(waitMs - 10);
    callOn(channel, one, 10, status.OK); // as slow as it was, and news
    assert.equal(take(channel).address, isTried ? two : one, `after ${waitMs} ms, where 100 ms become 10 in 2303 ms`);
    closeChannel(channel, clock);
  }
});

test("under load the calls in flight follow the weights, and an endpoint of weight 0 has none", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const channel = openChannel(
    { peak_ewma: {} },
    endpoints(3, (place) => ({ weight: place })),
  );
  const counts: Record<string, number> = {};
  for (let n = 0; n < 3_000; n++) {
    const { address } = take(channel);
    counts[address] = (counts[address] ?? 0) + 1;
  }
  assert.equal(counts[one], undefined);
  const light = counts[two] ?? 0;
  assert.ok(Math.abs(light - 1_000) <= 5, `want a third of 3000, got ${light}`);
  channel.at(two).become(connectivityState.TRANSIENT_FAILURE, "refused");
  channel.at(three).become(connectivityState.TRANSIENT_FAILURE, "refused");
  assert.deepEqual(spread(channel, 10), { [one]: 10 }, "some endpoint must take the call");
  closeChannel(channel, clock);
});

test("equal endpoints have equal shares in the long run", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const noise = createRandom(seed + 1);
    const channel = open({}, 3);
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 6_000, concurrency: 30, answers: () => ({ ms: 10 + noise() }) });
    for (const calls of Object.values(loop.started)) {
      assert.ok(calls > 1_800 && calls < 2_200, `seed ${seed}: want 2000 +- 10 %, got ${calls}`);
    }
    closeChannel(channel, clock);
  }
});

test("while all endpoints are equal the one drawn first gets the call", () => {
  registerPoliciesIn({ clock, random: createRandom(2), ...noWaits });
  const channel = open({}, 3);
  teach(channel, [10, 10, 10]);
  assertShares(spread(channel, 9_000), { [one]: 1, [two]: 1, [three]: 1 });
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields = "decay, defaultRtt, longCallAfter, panicThreshold, slowStart, weightKey, weights";
  assertRefused("peak_ewma", [
    [{ decay: "0s" }, 'decay must be a duration such as 10s or 0.3s >= 1ms, got "0s"'],
    [{ decay: 10 }, "decay must be a duration such as 10s or 0.3s >= 1ms, got 10"],
    [{ default_rtt: "fast" }, 'defaultRtt must be a duration such as 10s or 0.3s >= 1ms, got "fast"'],
    [{ rtt: "1s" }, `unknown field rtt; known fields: ${fields}`],
    [{ weights: { a: -1 } }, 'weights["a"] must be a number from 0 to 4294967295, got -1'],
  ]);
});
