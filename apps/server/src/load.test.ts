import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { type Load, LoadMeter, processCpuMs } from "./load.ts";

function createMeter({ capacity = 0, weight = 1 } = {}) {
  const clock = new ManualClock();
  const cpu = { usedMs: 0 };
  return { clock, cpu, meter: new LoadMeter({ clock, cpuMs: () => cpu.usedMs, capacity, weight }) };
}

/** Calls one after the other for `forMs`, each taking `callMs`; every `failEach`th fails. */
function serve({ meter, clock, cpu }: ReturnType<typeof createMeter>, forMs: number, callMs: number, failEach = 0) {
  for (let n = 1; n * callMs <= forMs; n++) {
    meter.start();
    clock.advance(callMs);
    cpu.usedMs += callMs / 4;
    meter.end(failEach > 0 && n % failEach === 0 ? "failed" : "answered");
  }
}

function assertLoad(got: Load, want: Partial<Load>, tolerance = 0.05): void {
  for (const [key, value] of Object.entries(want)) {
    const is = got[key as keyof Load];
    assert.ok(Math.abs(is - value) <= value * tolerance, `${key}: want ${value}, got ${is}`);
  }
}

test("after a second of traffic each number is right", () => {
  const rig = createMeter({ capacity: 4 });
  serve(rig, 1_000, 10, 4);
  assertLoad(rig.meter.read(), {
    callsPerSecond: 100,
    errorsPerSecond: 25,
    cpuUtilization: 0.25,
    applicationUtilization: 0.25,
  });
});

test("half a second after a change half of it shows, and after a second all of it", () => {
  const rig = createMeter({ capacity: 1 });
  serve(rig, 5_000, 10);
  rig.clock.advance(500);
  assertLoad(rig.meter.read(), { callsPerSecond: 50, applicationUtilization: 0.5, cpuUtilization: 0.125 });
  rig.clock.advance(550);
  const quiet = { callsPerSecond: 0, errorsPerSecond: 0, applicationUtilization: 0, cpuUtilization: 0 };
  assert.deepEqual(rig.meter.read(), quiet);
});

test("waiting calls count, so the utilization of a server with a queue is above 1", () => {
  const { meter, clock } = createMeter({ capacity: 2 });
  for (let n = 0; n < 6; n++) meter.start();
  clock.advance(1_000);
  assertLoad(meter.read(), { applicationUtilization: 3 });
  for (let n = 0; n < 6; n++) meter.end("cancelled");
  assertLoad(meter.read(), { applicationUtilization: 3, callsPerSecond: 0, errorsPerSecond: 0 });
});

test("without a capacity the application utilization is 0, and clients use the CPU utilization (gRFC A58)", () => {
  const rig = createMeter();
  serve(rig, 1_000, 10);
  assert.equal(rig.meter.read().applicationUtilization, 0);
  assertLoad(rig.meter.read(), { cpuUtilization: 0.25 });
});

test("calls divided by utilization is three times as much with a weight of 3", () => {
  const weightOf = (weight: number) => {
    const rig = createMeter({ capacity: 8, weight });
    serve(rig, 2_000, 5);
    const { callsPerSecond, applicationUtilization, cpuUtilization } = rig.meter.read();
    return [callsPerSecond / applicationUtilization, callsPerSecond / cpuUtilization];
  };
  const [one, three] = [weightOf(1), weightOf(3)];
  for (const n of [0, 1]) {
    const ratio = (three[n] ?? 0) / (one[n] ?? 1);
    assert.ok(Math.abs(ratio - 3) < 1e-9, `want 3 times, got ${ratio}`);
  }
});

test("the CPU time is read once per slot and not with each call", () => {
  const clock = new ManualClock();
  let reads = 0;
  const cpuMs = () => {
    reads += 1;
    return reads;
  };
  const meter = new LoadMeter({ clock, cpuMs, capacity: 0, weight: 1 });
  for (let n = 0; n < 1_000; n++) {
    meter.start();
    meter.end("answered");
    clock.advance(1);
  }
  assert.ok(reads <= 21, `want at most 21 reads, got ${reads}`);
});

test("the CPU time of the process grows while it works", () => {
  const before = processCpuMs();
  const endMs = performance.now() + 10_000;
  while (processCpuMs() < before + 5) assert.ok(performance.now() < endMs, "no CPU time within 10 s of work");
});

test("a reset forgets the calls, the errors and the CPU time so far, and keeps the calls in progress", () => {
  const rig = createMeter({ capacity: 1 });
  serve(rig, 1_000, 10, 2);
  rig.meter.start();
  rig.meter.reset();
  assert.deepEqual(Object.values(rig.meter.read()), [0, 0, 0, 0]);
  rig.clock.advance(1_000);
  assertLoad(rig.meter.read(), { callsPerSecond: 0, cpuUtilization: 0, applicationUtilization: 1 });
});
