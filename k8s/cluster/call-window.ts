import { parseStampedLine } from "@grpc-lb/program";
import { parseCallLine } from "@grpc-lb/verdict";
import type { ServerPod } from "./server-pods.ts";

/** After a pod became ready or a client started, connections are still opening for this time, in milliseconds. */
export const settleMs = 5_000;

/** The calls of a client that are judged together. */
export interface CallWindow {
  /** The pod that answered, for each successful call. */
  readonly calls: readonly string[];
  /** The reason of each call that failed between them. */
  readonly errors: readonly string[];
}

/**
 * The last calls of a client, at most `limit`, while the server's pods were those of now: after the youngest became ready and the
 * client started, and after the last call to a pod that is gone. A log that was cut within a line does not end with a call to
 * such a pod.
 *
 * @param log a client's whole log with times, as `kubectl logs --timestamps` prints it
 */
export function lastCalls(log: string, servers: readonly ServerPod[], limit: number): CallWindow {
  const names = new Set(servers.map(({ name }) => name));
  const whole = log.split("\n");
  const rest = whole.pop() ?? "";
  const toLine = (stamped: string) => {
    const { atMs = 0, text = "" } = parseStampedLine(stamped) ?? {};
    const line = parseCallLine(text);
    return line ? [{ atMs, line }] : [];
  };
  const last = toLine(rest).filter(({ line }) => line.t === "error" || names.has(line.pod));
  const lines = [...whole.flatMap(toLine), ...last];
  const fromMs = Math.max(lines[0]?.atMs ?? 0, ...servers.map(({ readyAtMs }) => readyAtMs)) + settleMs;
  const lastGone = lines.findLastIndex(({ line }) => line.t === "call" && !names.has(line.pod));
  const settled = lines.slice(lastGone + 1).filter(({ atMs }) => atMs >= fromMs);
  const calls = settled.flatMap(({ line }, at) => (line.t === "call" ? [{ pod: line.pod, at }] : [])).slice(-limit);
  const errors = settled.slice(calls[0]?.at ?? 0).flatMap(({ line }) => (line.t === "error" ? [line.reason] : []));
  return { calls: calls.map(({ pod }) => pod), errors };
}
