/// <reference lib="dom" />
import { systemClock } from "@grpc-lb/core";
import type { Page } from "playwright-core";
import type { SampleComparison } from "./sample-comparison.ts";

/** What a page costs while it shows calls. */
export interface PageCosts {
  readonly calls: number;
  readonly frames: number;
  readonly medianFrameMs: number;
  readonly p99FrameMs: number;
  /** The part of the frames that came later than 100 ms after the one before. */
  readonly lateShare: number;
  /** The JavaScript heap after a garbage collection, at the end less at the start. */
  readonly heapGrowthBytes: number;
  readonly heapBytes: number;
  /** The nodes of the document, at the end less at the start. */
  readonly nodeGrowth: number;
}

const batchMs = 50;

/** Reports calls at a rate for a time, and measures the page that shows them. */
export async function measurePage(
  page: Page,
  sample: SampleComparison,
  { callsPerSecond, durationMs }: { readonly callsPerSecond: number; readonly durationMs: number },
): Promise<PageCosts> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  const metrics = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    const { metrics: all } = await devtools.send("Performance.getMetrics");
    const metricOf = (name: string) => all.find((metric) => metric.name === name)?.value ?? Number.NaN;
    return {
      heap: metricOf("JSHeapUsedSize"),
      nodes: await page.evaluate(() => document.querySelectorAll("*").length),
    };
  };
  const before = await metrics();
  await page.evaluate(() => {
    const times: number[] = [];
    let lastMs = performance.now();
    const frame = (nowMs: number) => {
      times.push(nowMs - lastMs);
      lastMs = nowMs;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    Object.assign(window, { frameTimes: times });
  });
  const startMs = systemClock.now();
  let calls = 0;
  for (let ms = 0; ms < durationMs; ms = systemClock.now() - startMs) {
    const due = Math.floor((ms * callsPerSecond) / 1_000) - calls;
    sample.call(due);
    calls += due;
    await systemClock.sleep(batchMs);
  }
  const times = await page.evaluate(() => {
    const { frameTimes } = window as unknown as { frameTimes: number[] };
    return frameTimes.splice(0);
  });
  const after = await metrics();
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? Number.NaN;
  return {
    ...{ calls, frames: times.length, medianFrameMs: quantile(0.5), p99FrameMs: quantile(0.99) },
    lateShare: times.filter((ms) => ms > 100).length / times.length,
    ...{ heapGrowthBytes: after.heap - before.heap, heapBytes: after.heap, nodeGrowth: after.nodes - before.nodes },
  };
}
