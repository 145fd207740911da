import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { assertRefused, closeChannel, endpoints, openChannel, spread, take } from "../../../testing/fake-calls.ts";
import type { FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { Probe } from "../../../testing/probe.ts";
import { turn } from "../../../testing/rig.ts";
import { connectivityState } from "../../grpc-js.ts";
import { registerPoliciesIn, registerPolicy } from "../../registration/register.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
afterEach(assertNothingLeft);

const { IDLE, TRANSIENT_FAILURE } = connectivityState;
const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;

const weighted = (...weights: readonly number[]) =>
  endpoints(weights.length, (place) => ({ weight: weights[place] ?? 0 }));
const orca = (config: object = {}) => ({ weighted_round_robin: { blackoutPeriod: "0s", ...config } });

type Loads = Readonly<Record<string, Partial<OrcaLoadReport>>>;
/** What makes a weight of 500, 250 and, of the third, nothing: it does not report. */
const loads: Loads = {
  [one]: { rpsFractional: 100, cpuUtilization: 0.2 },
  [two]: { rpsFractional: 100, cpuUtilization: 0.4 },
};

/** Makes sequential calls; the endpoint reports at the end of each. */
function work(channel: FakeChannel, calls: number, loads: Loads): void {
  for (let n = 0; n < calls; n++) {
    const call = take(channel);
    const load = loads[call.address];
    const trailer = new Metadata();
    if (load) {
      const bytes = OrcaLoadReport.encode(OrcaLoadReport.fromPartial(load)).finish();
      trailer.set("endpoint-load-metrics-bin", Buffer.from(bytes));
    }
    call.end(status.OK, trailer);
  }
}

/** Lets time pass: whoever waits for it has done its work after it. */
async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await turn();
}

/** A channel that uses the weights its endpoints have reported. */
async function reported(config: object = {}, all = endpoints(3), what: Loads = loads): Promise<FakeChannel> {
  const channel = openChannel(orca(config), all);
  work(channel, 30, what);
  await pass(1_000);
  return channel;
}

/** Fails unless each endpoint has its share of the calls to within 1: nothing is random. */
function assertExact(channel: FakeChannel, shares: Readonly<Record<string, number>>, what = "", calls = 3_000): void {
  const counts = spread(channel, calls);
  const sum = Object.values(shares).reduce((a, b) => a + b, 0);
  const want = Object.fromEntries(Object.entries(shares).map(([address, share]) => [address, (calls * share) / sum]));
  const addresses = new Set([...Object.keys(counts), ...Object.keys(want)]);
  const isExact = [...addresses].every((address) => Math.abs((counts[address] ?? 0) - (want[address] ?? 0)) <= 1);
  assert.ok(isExact, `${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(counts)}`);
}

test("static weights hold exactly over any number of calls, for several seeds", () => {
  for (const seed of [1, 2, 2026]) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel({ weighted_round_robin: { source: "static" } }, weighted(5, 2, 1));
    for (const calls of [8, 16, 80, 3, 8_000]) {
      assertExact(channel, { [one]: 5, [two]: 2, [three]: 1 }, `seed ${seed}, ${calls} calls`, calls);
    }
    closeChannel(channel, clock);
  }
});

test("endpoints of equal weight take turns, and a heavier one is not picked many times in a row", () => {
  const order = (...weights: readonly number[]) => {
    const channel = openChannel({ weighted_round_robin: { source: "static" } }, weighted(...weights));
    const addresses = Array.from({ length: 60 }, () => Object.keys(spread(channel, 1))[0]);
    closeChannel(channel, clock);
    return addresses;
  };
  const equal = order(1, 1, 1);
  for (let n = 0; n + 3 <= equal.length; n++) assert.equal(new Set(equal.slice(n, n + 3)).size, 3, `calls ${n} and on`);
  const heavy = order(2, 1, 1);
  for (let n = 0; n + 3 <= heavy.length; n++) {
    assert.ok(new Set(heavy.slice(n, n + 3)).size > 1, `calls ${n} and on: want not thrice the same`);
  }
});

test("channels start with different endpoints", () => {
  const first = new Set<string>();
  for (let n = 0; n < 30; n++) {
    const channel = openChannel({ weighted_round_robin: {} }, endpoints(3));
    first.add(take(channel).address);
    closeChannel(channel, clock);
  }
  assert.deepEqual([...first].sort(), [one, two, three]);
});

test("with source static load reports are ignored", async () => {
  const channel = await reported({ source: "static" }, weighted(1, 3, 0));
  assertExact(channel, { [one]: 1, [two]: 3 });
  assert.equal(clock.sleeping, 0, "and nothing waits for them");
  channel.update(weighted(1, 3, 0), orca());
  assertExact(channel, { [one]: 1, [two]: 3 }, "nor are they remembered");
  closeChannel(channel, clock);
});

test("with reports in trailers each endpoint gets calls by its capacity", async () => {
  const channel = await reported({}, endpoints(2));
  assertExact(channel, { [one]: 500, [two]: 250 });
  work(channel, 10, {
    [one]: { rpsFractional: 300, applicationUtilization: 1 },
    [two]: { rpsFractional: 90, cpuUtilization: 0.1 },
  });
  await pass(1_000);
  assertExact(channel, { [one]: 300, [two]: 900 }, "after new reports");
  closeChannel(channel, clock);
});

test("an endpoint that does not report gets the mean weight, where grpc-js's own policy gives it 0 of 3000 calls", async () => {
  const channel = await reported();
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 });
  closeChannel(channel, clock);
});

test("while fewer than two endpoints report, discovery's weights apply", async () => {
  const only = { [one]: loads[one] ?? {} };
  for (const [what, want] of [
    [{}, { [one]: 1, [two]: 2, [three]: 3 }],
    [only, { [one]: 1, [two]: 2, [three]: 3 }],
    [loads, { [one]: 500, [two]: 250, [three]: 375 }],
  ] as const) {
    const channel = await reported({}, weighted(1, 2, 3), what);
    assertExact(channel, want, `${Object.keys(what).length} report`);
    closeChannel(channel, clock);
  }
});

test("trailers without a report, or with a broken one, change nothing", async () => {
  const channel = await reported({}, endpoints(2));
  for (const bytes of [Buffer.from([0xff, 0xff]), Buffer.alloc(0)]) {
    for (let n = 0; n < 10; n++) {
      const trailer = new Metadata();
      trailer.set("endpoint-load-metrics-bin", bytes);
      take(channel).end(status.OK, trailer);
    }
    await pass(1_000);
    assertExact(channel, { [one]: 500, [two]: 250 });
  }
  closeChannel(channel, clock);
});

test("reports count after the blackout, which starts with an endpoint's first report", async () => {
  const channel = openChannel({ weighted_round_robin: {} }, endpoints(2));
  work(channel, 10, loads);
  await pass(9_999);
  assertExact(channel, { [one]: 1, [two]: 1 }, "the default is 10 s");
  await pass(1_001);
  assertExact(channel, { [one]: 500, [two]: 250 });
  channel.update(endpoints(3));
  channel.connect(three);
  const all = { ...loads, [three]: { rpsFractional: 100, cpuUtilization: 0.1 } };
  work(channel, 10, all);
  await pass(5_000);
  work(channel, 10, all);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 }, "who is new has the mean");
  await pass(5_000);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 1_000 });
  closeChannel(channel, clock);
});

test("reports expire, and with them their weights", async () => {
  const channel = await reported({ weightExpirationPeriod: "5s" });
  await pass(3_000);
  work(channel, 9, { [one]: loads[one] ?? {} });
  await pass(1_000);
  assertExact(channel, { [one]: 1, [two]: 1, [three]: 1 }, "one report is none");
  work(channel, 9, loads);
  await pass(1_000);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 }, "they are back");
  closeChannel(channel, clock);
});

test("weights are recomputed once per update period, and not more often than every 100 ms", async () => {
  for (const { config, ms } of [
    { config: {}, ms: 1_000 },
    { config: { weightUpdatePeriod: "2.5s" }, ms: 2_500 },
    { config: { weightUpdatePeriod: "0.01s" }, ms: 100 },
  ]) {
    const channel = openChannel(orca(config), endpoints(2));
    await pass(ms);
    work(channel, 10, loads);
    await pass(ms - 1);
    assertExact(channel, { [one]: 1, [two]: 1 }, `1 ms before ${ms} ms`);
    assert.equal(clock.sleeping, 1);
    await pass(1);
    assertExact(channel, { [one]: 500, [two]: 250 }, `after ${ms} ms`);
    closeChannel(channel, clock);
  }
});

test("errors weigh as utilization, times the penalty", async () => {
  const failing: Loads = {
    [one]: { rpsFractional: 100, cpuUtilization: 0.25, eps: 25 },
    [two]: { rpsFractional: 100, cpuUtilization: 0.25 },
  };
  for (const [config, share] of [
    [{}, 200],
    [{ errorUtilizationPenalty: 3 }, 100],
    [{ errorUtilizationPenalty: 0 }, 400],
  ] as const) {
    const channel = await reported(config, endpoints(2), failing);
    assertExact(channel, { [one]: share, [two]: 400 }, JSON.stringify(config));
    closeChannel(channel, clock);
  }
});

test("an endpoint of weight 0 gets no calls, whatever it reports, until there is no other", async () => {
  for (const source of ["orca", "static"]) {
    const channel = openChannel(orca({ source }), weighted(1, 1, 1));
    work(channel, 30, { ...loads, [three]: loads[one] ?? {} });
    await pass(1_000);
    channel.update(weighted(1, 1, 0));
    const isOrca = source === "orca";
    assertExact(channel, { [one]: isOrca ? 500 : 1, [two]: isOrca ? 250 : 1 }, source);
    channel.update(weighted(0, 0, 0));
    assertExact(channel, { [one]: 1, [two]: 1, [three]: 1 }, `${source}, all of them 0`);
    channel.update(weighted(1, 0, 0));
    assertExact(channel, { [one]: 1 }, source);
    channel.at(one).become(TRANSIENT_FAILURE, "refused");
    assertExact(channel, { [two]: 1, [three]: 1 }, `${source}, those of 0 alone`);
    closeChannel(channel, clock);
  }
});

test("after a reconnect old reports do not count, and the blackout starts again, because the process may be a new one", async () => {
  const channel = openChannel({ weighted_round_robin: {} }, endpoints(3));
  const all = { ...loads, [three]: { rpsFractional: 100, cpuUtilization: 0.1 } };
  work(channel, 30, all);
  await pass(10_000);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 1_000 });
  channel.at(three).become(IDLE);
  assertExact(channel, { [one]: 500, [two]: 250 });
  channel.connect(three);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 });
  work(channel, 30, all);
  await pass(9_999);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 });
  await pass(1_001);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 1_000 });
  closeChannel(channel, clock);
});

test("reports count through updates that put new objects around the connections, as grpc-js-xds does", async () => {
  const channel = openChannel({ outlier_detection: { childPolicy: [orca({ blackoutPeriod: "10s" })] } }, endpoints(3));
  work(channel, 30, loads);
  await pass(10_000);
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 });
  channel.update(endpoints(3), undefined, { "test.generation": 2 });
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 }, "after the update");
  closeChannel(channel, clock);
});

test("a new endpoint reaches its share over the window, with static weights and with reports", async () => {
  for (const source of ["static", "orca"]) {
    const channel = openChannel(orca({ source, slowStart: { window: "10s" } }), endpoints(2));
    await pass(10_000);
    channel.update(endpoints(3));
    channel.connect(three);
    // Endpoints report before each step; the new one reports a weight of 1000.
    const all = { ...loads, [three]: { rpsFractional: 100, cpuUtilization: 0.1 } };
    const full = source === "orca" ? [500, 250, 1_000] : [1, 1, 1];
    for (const [elapsedMs, warmth] of [
      [2_000, 0.2],
      [3_000, 0.5],
      [4_000, 0.9],
      [1_000, 1],
      [9_000, 1],
    ] as const) {
      work(channel, 100, all);
      await pass(elapsedMs);
      assertExact(
        channel,
        { [one]: full[0] ?? 0, [two]: full[1] ?? 0, [three]: (full[2] ?? 0) * warmth },
        `${source}, at a warmth of ${warmth}`,
      );
    }
    assert.equal(clock.sleeping, source === "orca" ? 1 : 0, "all are warm, and only reports are waited for");
    closeChannel(channel, clock);
  }
});

test("the state of endpoints is kept through updates of the list and of the configuration", async () => {
  const channel = await reported();
  const { held } = channel;
  channel.update(endpoints(3).reverse());
  assertExact(channel, { [one]: 500, [two]: 250, [three]: 375 });
  channel.update(endpoints(2), orca({ weightUpdatePeriod: "2s" }));
  assertExact(channel, { [one]: 500, [two]: 250 });
  channel.update(endpoints(2), orca({ source: "static" }));
  assertExact(channel, { [one]: 1, [two]: 1 }, "static");
  channel.update(endpoints(2), orca());
  assertExact(channel, { [one]: 500, [two]: 250 }, "and back");
  assert.deepEqual(channel.held, { [one]: held[one], [two]: held[two] });
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields =
    "blackoutPeriod, enableOobLoadReport, errorUtilizationPenalty, oobReportingPeriod, panicThreshold, slowStart, source, " +
    "weightExpirationPeriod, weightKey, weightUpdatePeriod, weights";
  assertRefused("weighted_round_robin", [
    [{ source: "xds" }, 'source must be one of orca, static, got "xds"'],
    [{ enableOobLoadReport: "yes" }, 'enableOobLoadReport must be true or false, got "yes"'],
    [{ oob_reporting_period: "0s" }, 'oobReportingPeriod must be a duration such as 10s or 0.3s >= 1ms, got "0s"'],
    [{ blackoutPeriod: 10 }, "blackoutPeriod must be a duration such as 10s or 0.3s, got 10"],
    [{ blackoutPeriod: "-1s" }, 'blackoutPeriod must be a duration such as 10s or 0.3s, got "-1s"'],
    [
      { weightExpirationPeriod: "0s" },
      'weightExpirationPeriod must be a duration such as 10s or 0.3s >= 1ms, got "0s"',
    ],
    [{ weightUpdatePeriod: "soon" }, 'weightUpdatePeriod must be a duration such as 10s or 0.3s, got "soon"'],
    [{ errorUtilizationPenalty: -0.5 }, "errorUtilizationPenalty must be a number >= 0, got -0.5"],
    [{ weights: { a: "x" } }, 'weights["a"] must be a number from 0 to 4294967295, got "x"'],
    [{ slowStart: { window: "0s" } }, 'slowStart.window must be a duration such as 10s or 0.3s >= 1ms, got "0s"'],
    [{ period: "1s" }, `unknown field period; known fields: ${fields}`],
  ]);
});

test("an ejected endpoint that takes calls below the panic threshold has no stream of reports, because no event would end it", () => {
  const probe = new Probe("watching", weightedRoundRobin);
  registerPolicy(probe.policy);
  const channel = openChannel({ watching: { enableOobLoadReport: true, panicThreshold: 100 } }, endpoints(2));
  const hasStream = () =>
    Object.fromEntries(
      probe.input?.ready.map(({ info, endpointState }) => [info.id, endpointState.stream !== undefined]) ?? [],
    );
  assert.deepEqual(hasStream(), { [one]: true, [two]: true });
  channel.at(one).setHealthy(false);
  assert.deepEqual(hasStream(), { [one]: false, [two]: true });
  channel.update(endpoints(2).reverse());
  assert.deepEqual(hasStream(), { [one]: false, [two]: true });
  channel.at(one).setHealthy(true);
  assert.deepEqual(hasStream(), { [one]: true, [two]: true });
  closeChannel(channel, clock); // before the turn in which a stream would start
});
