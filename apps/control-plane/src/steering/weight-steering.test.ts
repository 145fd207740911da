import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { WeightSteering } from "./weight-steering.ts";

const options = { minFactor: 0.1, maxFactor: 3, staleMs: 3_000 };

/**
 * Simulates a service, second by second: calls go to pods by weight, a pod is as busy as its calls take time, and reports are noisy
 * by up to 20 %.
 *
 * @param latencyOf how long the calls of a pod take, in seconds, and whether it reports
 */
function simulate(
  pods: readonly string[],
  seconds: number,
  latencyOf: (pod: string, second: number) => { latency: number; reports?: boolean },
  seed = 1,
) {
  const random = createRandom(seed);
  const steering = new WeightSteering(options);
  let factors = steering.update(pods, 0);
  const history: ReadonlyMap<string, number>[] = [factors];
  for (let second = 1; second <= seconds; second++) {
    const total = [...factors.values()].reduce((sum, factor) => sum + factor, 0);
    for (const pod of pods) {
      const callsPerSecond = (1_000 * (factors.get(pod) ?? 0)) / total;
      const { latency, reports = true } = latencyOf(pod, second);
      const utilization = (callsPerSecond * latency * (0.8 + 0.4 * random())) / 10;
      if (reports) steering.report(pod, { callsPerSecond, errorsPerSecond: 0, utilization }, second * 1_000);
    }
    factors = steering.update(pods, second * 1_000);
    history.push(factors);
  }
  const shareOf = (pod: string, second: number) => {
    const at = history[second] as ReadonlyMap<string, number>;
    return (at.get(pod) ?? 0) / [...at.values()].reduce((sum, factor) => sum + factor, 0);
  };
  return { history, shareOf };
}

const pods = ["a", "b", "c", "d"];

test("a pod that is 10 times slower gets a tenth of the others' calls, within half a minute and without swinging", () => {
  for (const seed of [1, 2, 3]) {
    const { history, shareOf } = simulate(pods, 120, (pod) => ({ latency: pod === "d" ? 0.1 : 0.01 }), seed);
    const want = 0.1 / 3.1;
    for (let second = 30; second <= 120; second++) {
      const share = shareOf("d", second);
      assert.ok(share > want * 0.8 && share < want * 1.35, `seed ${seed}, second ${second}: ${share}, want ${want}`);
    }
    for (const [second, factors] of history.entries()) {
      for (const [pod, factor] of factors) {
        const step = factor / (history[Math.max(0, second - 1)]?.get(pod) ?? 1);
        assert.ok(step <= 1.2501 && step >= 0.7999, `seed ${seed}, second ${second}: a step of ${step}`);
        assert.ok(factor >= options.minFactor * 0.999 && factor <= options.maxFactor * 1.001);
      }
    }
  }
});

test("equal pods keep equal weights although their reports are noisy", () => {
  const { history } = simulate(pods, 120, () => ({ latency: 0.01 }));
  for (const factors of history)
    for (const factor of factors.values()) assert.ok(Math.abs(factor - 1) < 0.12, `${factor}`);
});

test("a pod that recovers gets its share back", () => {
  const slow = (pod: string, second: number) => ({ latency: pod === "d" && second <= 60 ? 0.1 : 0.01 });
  const { shareOf } = simulate(pods, 120, slow);
  assert.ok(shareOf("d", 60) < 0.05);
  assert.ok(Math.abs(shareOf("d", 90) - 0.25) < 0.03, String(shareOf("d", 90)));
});

test("a pod that stops to report fades to the mean, and one that never does stays there", () => {
  const silent = (pod: string, second: number) => ({
    latency: pod === "d" ? 0.1 : 0.01,
    reports: pod === "d" ? second <= 60 : pod !== "c",
  });
  const { history } = simulate(pods, 120, silent);
  assert.ok((history[60]?.get("d") ?? 1) < 0.25);
  assert.ok((history[66]?.get("d") ?? 1) < 0.7); // no jump
  assert.ok(Math.abs((history[120]?.get("d") ?? 0) - 1) < 0.02);
  for (const factors of history) assert.equal(factors.get("c"), 1);
});

test("an endpoint that reports every 30 s, as servers of gRPC do, keeps its factor between reports", () => {
  const steering = new WeightSteering({ ...options, staleMs: 5_000 });
  steering.update(["slow", "fast"], 0);
  const factors: number[] = [];
  for (let second = 1; second <= 300; second++) {
    const nowMs = second * 1_000;
    if (second % 30 === 1) steering.report("slow", { callsPerSecond: 10, errorsPerSecond: 0, utilization: 0.5 }, nowMs);
    if (second % 30 === 2) steering.report("fast", { callsPerSecond: 50, errorsPerSecond: 0, utilization: 0.5 }, nowMs);
    factors.push(steering.update(["slow", "fast"], nowMs).get("slow") ?? 0);
  }
  const settled = factors.slice(60);
  assert.ok(
    Math.max(...settled) < 0.35 && Math.min(...settled) > 0.32,
    `${Math.min(...settled)}-${Math.max(...settled)}`,
  );
  assert.equal(steering.reporting(300_000), 2);
  assert.equal(steering.reporting(365_000), 0);
});

test("an endpoint whose reports come every second fades after the configured time, though they are given again", () => {
  const steering = new WeightSteering({ ...options, staleMs: 5_000 });
  steering.update(["a", "b"], 0);
  const at = new Map<number, number>();
  for (let second = 1; second <= 70; second++) {
    steering.report("a", { callsPerSecond: 10, errorsPerSecond: 0, utilization: 0.5 }, Math.min(second, 40) * 1_000);
    steering.report("b", { callsPerSecond: 50, errorsPerSecond: 0, utilization: 0.5 }, second * 1_000);
    at.set(second, steering.update(["a", "b"], second * 1_000).get("a") ?? 0);
  }
  assert.ok((at.get(44) ?? 1) < 0.35 && (at.get(46) ?? 0) > 0.4, `${at.get(44)}, ${at.get(46)}`);
  assert.ok(Math.abs((at.get(70) ?? 0) - 1) < 0.02, String(at.get(70)));
});

test("one report alone changes nothing, and what is no report is ignored", () => {
  const steering = new WeightSteering(options);
  steering.update(pods, 0);
  const good = { callsPerSecond: 10, errorsPerSecond: 0, utilization: 0.5 };
  for (const bad of [Number.NaN, 0, -1, Number.POSITIVE_INFINITY]) {
    steering.report("b", { ...good, utilization: bad }, 0);
    steering.report("c", { ...good, callsPerSecond: bad }, 0);
  }
  steering.report("a", { ...good, utilization: 5 }, 0);
  steering.report("unknown", good, 0);
  for (const factor of steering.update(pods, 1_000).values()) assert.equal(factor, 1);
});

test("errors count as load, so that a pod that fails fast does not attract calls", () => {
  const steering = new WeightSteering(options);
  steering.update(["a", "b"], 0);
  for (let second = 1; second <= 60; second++) {
    steering.report("a", { callsPerSecond: 100, errorsPerSecond: 100, utilization: 0.05 }, second * 1_000);
    steering.report("b", { callsPerSecond: 100, errorsPerSecond: 0, utilization: 0.5 }, second * 1_000);
    steering.update(["a", "b"], second * 1_000);
  }
  const factors = steering.update(["a", "b"], 61_000);
  assert.ok((factors.get("a") ?? 9) < (factors.get("b") ?? 0), JSON.stringify([...factors]));
});
