import { setTimeout as delay } from "node:timers/promises";
import type { Slice } from "./slice.ts";
import type { Way } from "./way.ts";

/** How calls went one way in one slice of time. */
export interface Sample extends Slice {
  /** Processor time of the client and of what stands between, for 1000 calls, in milliseconds. */
  readonly cpuMsPer1000: number;
  /** Memory of what stands between. */
  readonly betweenBytes: number;
}

/** By way: its samples, one a round. */
export type Samples = ReadonlyMap<Way, readonly Sample[]>;

/** How long to measure. */
export interface MeasureOptions {
  readonly inFlight: number;
  readonly rounds: number;
  readonly sliceMs: number;
}

const warmUpMs = 1_500;
/** The processor time of other processes is counted in steps of 10 ms and a moment late. */
const settleMs = 50;

/**
 * Measures all ways in turns, so that what drifts, the machine or the heaps, hits all alike.
 *
 * @param signal ends the measurement after a slice
 */
export async function measureWays(
  ways: readonly Way[],
  options: MeasureOptions,
  signal: AbortSignal,
): Promise<Samples> {
  const { inFlight, rounds, sliceMs } = options;
  const samples = new Map<Way, Sample[]>(ways.map((way) => [way, []]));
  for (const { caller } of ways) await caller.measure({ inFlight, ms: warmUpMs });
  for (let round = 0; round < rounds; round++) {
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      if (signal.aborted) return samples;
      await delay(settleMs);
      const before = await way.usage();
      const slice = await way.caller.measure({ inFlight, ms: sliceMs });
      await delay(settleMs);
      const after = await way.usage();
      const cpuUs = slice.cpuUs + after.cpuUs - before.cpuUs;
      samples.get(way)?.push({ ...slice, cpuMsPer1000: cpuUs / slice.calls, betweenBytes: after.rssBytes });
    }
  }
  return samples;
}
