import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ClientLoads } from "./client-loads.ts";
import { WeightSteering } from "./weight-steering.ts";

/** How many events there are where `mean` are expected. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + normal * Math.sqrt(mean)));
  }
  let count = 0;
  for (let product = random(); product > Math.exp(-mean); product *= random()) count++;
  return count;
}

/** Ten minutes of one client that calls pods by weight and reports every second; the factors of each. */
function simulate(latencies: Readonly<Record<string, number>>, callsPerSecond: number, seed: number) {
  const random = createRandom(seed);
  const loads = new ClientLoads();
  const steering = new WeightSteering({ minFactor: 0.1, maxFactor: 3, staleMs: 5_000 });
  const pods = Object.keys(latencies);
  loads.read(pods, 0);
  let factors = steering.update(pods, 0);
  const history: (readonly number[])[] = [];
  for (let nowMs = 1_000; nowMs <= 600_000; nowMs += 1_000) {
    const total = [...factors.values()].reduce((sum, factor) => sum + factor, 0);
    const report = pods.map((address) => {
      const calls = (callsPerSecond * (factors.get(address) ?? 0)) / total;
      const inProgress = poisson(calls * (latencies[address] ?? 0), random);
      return { address, succeeded: poisson(calls, random), failed: 0, inProgress };
    });
    loads.report(1_000, report, nowMs);
    for (const [id, { load, reportedMs }] of loads.read(pods, nowMs)) steering.report(id, load, reportedMs);
    factors = steering.update(pods, nowMs);
    history.push([...factors.values()]);
  }
  return history;
}

test("equal pods keep equal weights at any load, beside a slow one too, and the slow one gets less the more is known", () => {
  for (const callsPerSecond of [3, 30, 300, 3_000]) {
    for (const seed of [1, 2, 3]) {
      const equal = simulate({ a: 0.005, b: 0.005, c: 0.005 }, callsPerSecond, seed).flat();
      assert.ok(Math.min(...equal) > 0.75 && Math.max(...equal) < 1.25, `${callsPerSecond}/s, seed ${seed}: all equal`);
      const history = simulate({ a: 0.005, b: 0.005, c: 0.05 }, callsPerSecond, seed);
      for (const [second, [a = 0, b = 0]] of history.entries()) {
        assert.ok(a / b > 1 / 1.5 && a / b < 1.5, `${callsPerSecond}/s, seed ${seed}, second ${second}: ${a}, ${b}`);
      }
      const slow = history.slice(120).map(([, , c = 0]) => c);
      const most = { 3: 1.05, 30: 0.8, 300: 0.4, 3000: 0.25 }[callsPerSecond] ?? 0;
      assert.ok(Math.max(...slow) < most, `${callsPerSecond}/s, seed ${seed}: the slow pod has ${Math.max(...slow)}`);
    }
  }
});

/** Reads after reports of a minute, one a second. */
function readAfter(report: (loads: ClientLoads, nowMs: number) => void) {
  const loads = new ClientLoads();
  loads.read(["a", "b"], 0);
  for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 1_000) {
    report(loads, nowMs);
    loads.read(["a", "b"], nowMs);
  }
  return loads.read(["a", "b"], 60_000);
}

const load = { succeeded: 100, failed: 0, inProgress: 1 };
const capacityOf = (read: ReturnType<typeof readAfter>, address: string) => {
  const { callsPerSecond, utilization } = read.get(address)?.load ?? { callsPerSecond: 0, utilization: 1 };
  return callsPerSecond / utilization;
};

test("the reports of clients add up, whatever they call themselves", () => {
  const read = readAfter((loads, nowMs) => {
    loads.report(1_000, [{ ...load, address: "a", inProgress: 10 }], nowMs);
    loads.report(1_000, [{ ...load, address: "b" }], nowMs); // of another client, later, which does not replace the first
  });
  assert.deepEqual([...read.keys()], ["a", "b"]);
  assert.ok(capacityOf(read, "b") > 4 * capacityOf(read, "a"), JSON.stringify([...read]));
});

test("an endpoint that fails fast, or ends no calls, is not taken for a fast one", () => {
  const failing = readAfter((loads, nowMs) =>
    loads.report(
      1_000,
      [
        { ...load, address: "a", inProgress: 5 },
        { address: "b", ...load, failed: 100, succeeded: 0 },
      ],
      nowMs,
    ),
  );
  assert.ok(capacityOf(failing, "b") < capacityOf(failing, "a"), JSON.stringify([...failing]));
  const hanging = readAfter((loads, nowMs) => {
    const calls = nowMs > 20_000 ? 0 : 100;
    loads.report(
      1_000,
      [
        { ...load, address: "a" },
        { address: "b", succeeded: calls, failed: 0, inProgress: 30 },
      ],
      nowMs,
    );
  });
  assert.ok(capacityOf(hanging, "b") < capacityOf(hanging, "a") / 3, JSON.stringify([...hanging]));
});

test("what cannot be a report is ignored, and so are addresses that are not watched", () => {
  const read = readAfter((loads, nowMs) => {
    const wrong = { address: "a", ...load };
    for (const intervalMs of [0, -1, Number.NaN, 1e15]) loads.report(intervalMs, [wrong], nowMs);
    loads.report(
      1_000,
      [
        { ...wrong, succeeded: 1e19 },
        { ...wrong, inProgress: Number.NaN },
      ],
      nowMs,
    );
    loads.report(1_000, [{ ...wrong, address: "elsewhere" }], nowMs);
    loads.report(1_000, [{ ...load, address: "b" }], nowMs);
  });
  assert.deepEqual([...read.keys()], ["b"]);
  assert.equal(read.get("b")?.reportedMs, 60_000);
});
