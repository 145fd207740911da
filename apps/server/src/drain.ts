import type { Clock } from "@grpc-lb/core";
import type { Readiness } from "./readiness.ts";

/** A server that can be closed gracefully or by force. */
export interface Drainable {
  close(): Promise<void>;
  cut(): void;
}

/** How a drain ended: all calls have ended, or some were cut at the deadline. */
export type DrainResult = "drained" | "cut";

/** How long a registry may take to deregister the server; the TTL removes it from one that does not answer. */
const leaveTimeoutMs = 2_000;

/**
 * Ends a server without losing a call: deregisters it, makes it not ready, serves for another `delayMs` so that every load
 * balancer can notice, then accepts no new connection and waits for the calls in progress, at most `timeoutMs`.
 *
 * Kubernetes removes a terminating pod from the endpoints at once, but kube-proxy, DNS caches and client-side balancers
 * notice it later than the pod gets SIGTERM (https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/).
 */
export async function drain(
  readiness: Readiness,
  servers: readonly Drainable[],
  options: {
    readonly clock: Clock;
    readonly delayMs: number;
    readonly timeoutMs: number;
    /** Deregisters the server. Default: it is in no registry. */
    readonly leave?: () => Promise<unknown>;
  },
): Promise<DrainResult> {
  const { clock, leave = async () => {} } = options;
  const left = new AbortController();
  const leaving = leave().finally(() => left.abort());
  readiness.end();
  await Promise.all([clock.sleep(options.delayMs), Promise.race([leaving, clock.sleep(leaveTimeoutMs, left.signal)])]);

  const done = new AbortController();
  const closed = Promise.all(servers.map((server) => server.close())).then((): DrainResult => "drained");
  const deadline = clock.sleep(options.timeoutMs, done.signal).then((): DrainResult => "cut");
  try {
    const result = await Promise.race([closed, deadline]);
    if (result === "cut") {
      for (const server of servers) server.cut();
      await closed;
    }
    return result;
  } finally {
    done.abort();
  }
}
