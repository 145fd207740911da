import type { ClientEvent } from "@grpc-lb/program";
import type { Kubectl } from "../cluster/kubectl.ts";
import { until } from "./until.ts";

/** A call of a client that was started with `EVENTS=true`. */
export interface TimedCall {
  /** When it ended, by the clock of the client's node. */
  readonly atMs: number;
  readonly ms: number;
  /** The pod that answered; undefined if the call failed. */
  readonly pod: string | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
}

/** A client: the name of its pod, and of its container there. */
export interface TimedClient {
  readonly pod: string;
  readonly container: string;
}

/** The calls that have ended since a time, in their order. */
export async function timedCalls(
  kubectl: Kubectl,
  { pod, container }: TimedClient,
  sinceMs = 0,
): Promise<readonly TimedCall[]> {
  // Without its fraction of a second, which the API server drops.
  const since = sinceMs === 0 ? [] : [`--since-time=${new Date(sinceMs).toISOString().slice(0, 19)}Z`];
  const args = ["logs", pod, "--container", container, "--timestamps", "--tail=-1", ...since];
  const { code, stdout, problem } = await kubectl.try(args);
  if (code !== 0 && !/waiting to start|not found/.test(problem)) throw new Error(`kubectl logs ${pod}: ${problem}`);
  return stdout.split("\n").flatMap((line) => {
    const [, time = "", json = ""] = /^(\S+) (\{.*\})$/.exec(line) ?? [];
    const atMs = Date.parse(time);
    if (json === "" || atMs < sinceMs) return [];
    const event: ClientEvent = JSON.parse(json);
    if (event.event !== "call") return [];
    const [answer, error] = "pod" in event ? [event.pod, undefined] : [undefined, event.error];
    return [{ atMs, ms: event.ms, pod: answer, error }];
  });
}

/** Waits until the client has made `count` more calls since a time for which `fit` holds, and returns them. */
export async function timedCallsUntil(
  kubectl: Kubectl,
  client: TimedClient,
  { sinceMs, count, what, fit = () => true }: WantedCalls,
): Promise<readonly TimedCall[]> {
  return until(what, 120_000, async () => {
    const calls = await timedCalls(kubectl, client, sinceMs);
    const last = calls.slice(-count);
    if (last.length === count && fit(last)) return { value: last };
    const pods = Object.entries(Object.groupBy(last, ({ pod, error }) => pod ?? error ?? ""));
    const counts = pods.map(([pod, found]) => `${pod}: ${found?.length}`).join(", ");
    return { seen: `${calls.length} calls, the last: ${counts || "none"}` };
  });
}

/** Calls to wait for. */
export interface WantedCalls {
  readonly sinceMs: number;
  /** How many calls are judged and returned: the last ones. */
  readonly count: number;
  /** For the error. */
  readonly what: string;
  /** Default: any. */
  readonly fit?: (calls: readonly TimedCall[]) => boolean;
}

/** The share of the calls that a pod answered whose name begins so. */
export const shareOf = (calls: readonly TimedCall[], prefix: string) =>
  calls.filter(({ pod }) => pod?.startsWith(prefix)).length / calls.length;
