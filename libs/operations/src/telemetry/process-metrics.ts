import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Meter } from "@opentelemetry/api";

/** How often the delay of the event loop is sampled. */
const resolutionMs = 20;

const quantiles = { p50: 50, p90: 90, p99: 99 } as const;

/**
 * Measures this process: `process.cpu.time`, `process.memory.usage` (resident), `process.uptime`, `nodejs.eventloop.utilization`, and since
 * the last scrape `nodejs.eventloop.delay.p50`, `.p90`, `.p99`, `.max`. The names are OpenTelemetry's
 * (https://opentelemetry.io/docs/specs/semconv/runtime/nodejs-metrics).
 */
export function observeProcess(meter: Meter): { close(): void } {
  const cpu = meter.createObservableCounter("process.cpu.time", { description: "Processor time", unit: "s" });
  cpu.addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe(user / 1e6, { "cpu.mode": "user" });
    result.observe(system / 1e6, { "cpu.mode": "system" });
  });
  const gauge = (name: string, description: string, unit: string, read: () => number) =>
    meter.createObservableGauge(name, { description, unit }).addCallback((result) => result.observe(read()));
  gauge("process.memory.usage", "Resident memory", "By", () => process.memoryUsage.rss());
  gauge("process.uptime", "Time since the process started", "s", () => process.uptime());

  let before = performance.eventLoopUtilization();
  gauge("nodejs.eventloop.utilization", "Share of the time that the event loop was busy", "1", () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  });

  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  // A sample is the time between two timers: the interval that was asked for is no delay.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
  const description = "Delay of the event loop since the last scrape";
  const instruments = Object.entries(quantiles).map(([name, quantile]) => ({
    instrument: meter.createObservableGauge(`nodejs.eventloop.delay.${name}`, { description, unit: "s" }),
    read: () => delay.percentile(quantile),
  }));
  instruments.push({
    instrument: meter.createObservableGauge("nodejs.eventloop.delay.max", { description, unit: "s" }),
    read: () => delay.max,
  });
  meter.addBatchObservableCallback(
    (result) => {
      const isEmpty = delay.count === 0;
      for (const { instrument, read } of instruments) result.observe(instrument, isEmpty ? 0 : seconds(read()));
      delay.reset();
    },
    instruments.map(({ instrument }) => instrument),
  );
  return { close: () => void delay.disable() };
}
