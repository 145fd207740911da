import type { Random } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { LoadMeter } from "../src/load.ts";
import { LoadReports } from "../src/orca.ts";
import { Readiness } from "../src/readiness.ts";
import { Workload } from "../src/workload.ts";

/** The readiness of a server that has started. */
export function createReadiness(): Readiness {
  const readiness = new Readiness();
  readiness.start();
  return readiness;
}

/** A workload with its meter, on a manual clock; without options it answers at once. */
export function createWorkload(
  options: {
    readonly latencyMs?: number;
    readonly errorRate?: number;
    readonly capacity?: number;
    readonly weight?: number;
    readonly random?: Random;
  } = {},
) {
  const { latencyMs = 0, errorRate = 0, capacity = 0, weight = 1, random = () => 0 } = options;
  const clock = new ManualClock();
  const cpu = { usedMs: 0 };
  const meter = new LoadMeter({ clock, cpuMs: () => cpu.usedMs, capacity, weight });
  const workload = new Workload({ latencyMs, errorRate, capacity }, { clock, random, meter });
  return { workload, meter, clock, cpu, loadReports: new LoadReports(meter, clock) };
}
