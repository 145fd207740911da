import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { credentials, Metadata } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { report } from "./report.ts";
import { until } from "./until.ts";

/** Continuous calls from this process, over one channel. */
export interface Load {
  /** The pod and the time of the answer, for each successful call. */
  readonly calls: readonly { readonly pod: string; readonly atMs: number }[];
  /** The error message of each failed call. */
  readonly errors: readonly string[];
  /** Stops calling and resolves when the calls in flight have ended. */
  stop(): Promise<void>;
}

/** Calls `target` every `intervalMs`, without waiting for earlier calls. */
export function startLoad(target: string, intervalMs: number): Load {
  const client = new PodServiceClient(target, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  const calls: { pod: string; atMs: number }[] = [];
  const errors: string[] = [];
  const stopping = new AbortController();
  let inFlight = 0;
  const call = () => {
    inFlight += 1;
    client.getPod({}, new Metadata(), { deadline: Date.now() + 5_000 }, (error, response) => {
      inFlight -= 1;
      if (error) errors.push(error.message);
      else calls.push({ pod: response.pod?.name ?? "", atMs: systemClock.now() });
    });
  };
  const run = (async () => {
    while (!stopping.signal.aborted) {
      call();
      await systemClock.sleep(intervalMs, stopping.signal);
    }
    while (inFlight > 0) await systemClock.sleep(50);
    client.close();
  })();
  return {
    calls,
    errors,
    async stop() {
      stopping.abort();
      await run;
    },
  };
}

/**
 * Calls `target` every 20 ms while `body` runs; none of the calls may fail.
 *
 * @param isExcused whether a failed call with this message is no fault of the client
 */
export async function underLoad<T>(
  target: string,
  t: TestContext,
  body: (load: Load) => Promise<T>,
  isExcused: (message: string) => boolean = () => false,
): Promise<T> {
  const load = startLoad(target, 20);
  try {
    return await body(load);
  } finally {
    await load.stop();
    report(t, `calls from outside the cluster: ${load.calls.length} succeeded, ${load.errors.length} failed`);
    const faults = load.errors.filter((message) => !isExcused(message));
    assert.deepEqual([...new Set(faults)], [], "calls failed");
  }
}

/** Waits until the calls reach exactly these servers. */
export async function reaches(load: Load, servers: readonly string[]): Promise<void> {
  await until(`calls to ${servers.length} servers`, 30_000, async () => {
    const recent = new Set(load.calls.slice(-servers.length * 3).map(({ pod }) => pod));
    const isSame = recent.size === servers.length && servers.every((pod) => recent.has(pod));
    return isSame ? { value: true } : { seen: [...recent].join(", ") };
  });
}
