import type { Clock } from "@grpc-lb/core";
import type { ClientLog } from "./client-log.ts";
import { extraMs, neededCalls, type Plan } from "./plan.ts";

const pollMs = 100;

/**
 * Waits until each client has the calls that a verdict needs, for a limited time: a busy machine makes fewer calls in the planned one. A
 * client with failed calls is not waited for, because its verdict is not as expected anyway.
 */
export async function untilEnough(
  logs: readonly Pick<ClientLog, "calls" | "errors">[],
  plan: Plan,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const endMs = clock.now() + extraMs(plan);
  const isWaitedFor = ({ calls, errors }: (typeof logs)[number]) => errors === 0 && calls < neededCalls(plan);
  while (logs.some(isWaitedFor) && clock.now() < endMs && !signal.aborted) await clock.sleep(pollMs, signal);
}
