/**
 * What the page costs the browser: `node apps/compare/bench/page.bench.ts [--duration 10m]`, with 200 calls a second of four clients.
 * It fails when memory or nodes grow, or frames come late, more than the bounds.
 */
import { readFileSync } from "node:fs";
import { durationFlag, integerFlag, runProgram } from "@grpc-lb/program";
import { findChromium, noChromium } from "@grpc-lb/program/testing";
import { launchChromium } from "../testing/browser.ts";
import { startComparePage } from "../testing/compare-page.ts";
import { measurePage } from "../testing/measure-page.ts";
import { SampleComparison } from "../testing/sample-comparison.ts";

const bounds = {
  heapGrowthBytes: 5_000_000,
  nodeGrowth: 200,
  medianFrameMs: 34,
  lateShare: 0.02,
  serverGrowthKb: 60_000,
};
/** Until buffers, the chart and the timeline are full. */
const warmUpMs = 15_000;

const flags = {
  duration: durationFlag({ help: "how long to measure", default: 20_000, minMs: 1_000 }),
  rate: integerFlag({ help: "calls a second", default: 200, min: 1, max: 2_000 }),
  pods: integerFlag({ help: "number of pods", default: 3, min: 2, max: 50 }),
};

void runProgram({ name: "page-bench", summary: "Measures the live page in Chromium.", flags }, async ({ flags }) => {
  const { duration: durationMs, rate: callsPerSecond, pods } = flags;
  const found = findChromium();
  if (found === undefined) {
    process.stdout.write(`page-bench: skipped, ${noChromium}\n`);
    return 0;
  }
  const compare = await startComparePage();
  const browser = await launchChromium(found);
  try {
    const sample = new SampleComparison(compare, pods);
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    await page.goto(compare.url);
    await page.locator(".panel").nth(3).waitFor();
    await measurePage(page, sample, { callsPerSecond, durationMs: warmUpMs });
    const serverKb = residentKb(compare.pid);
    const costs = await measurePage(page, sample, { callsPerSecond, durationMs });
    const measured = {
      ...costs,
      serverKb: residentKb(compare.pid),
      serverGrowthKb: residentKb(compare.pid) - serverKb,
    };
    process.stdout.write(`${JSON.stringify({ pods, durationMs, ...measured }, null, 2)}\n`);
    const missed = Object.entries(bounds).filter(([name, bound]) => !(measured[name as keyof typeof bounds] <= bound));
    for (const [name, bound] of missed) process.stderr.write(`page-bench: ${name} is over its bound of ${bound}\n`);
    return missed.length > 0 ? 1 : 0;
  } finally {
    await browser.close();
    await compare.stop();
  }
});

/** The memory of a process, where the system tells it; else 0. */
function residentKb(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
