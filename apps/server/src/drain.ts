import type { Clock } from "@grpc-lb/core";
import type { Readiness } from "./readiness.ts";

/** Something that listens and can be closed with grace or by force. */
export interface Drainable {
  close(): Promise<void>;
  cut(): void;
}

/** How a drain ended: by itself, or at its deadline with calls cut. */
export type DrainResult = "drained" | "cut";

/** How long a registry may take to hear that the server leaves; with one that says nothing, the TTL is what ends it. */
const leaveTimeoutMs = 2_000;

/**
 * Ends a server without losing a call: leaves its registries, says that it is not ready, goes on serving for `delayMs` until everyone who balances
 * has heard it, then takes no new connection and waits for the calls under way, at most `timeoutMs`.
 *
 * Kubernetes removes a terminating pod from the endpoints at once, but kube-proxy, DNS caches and client-side balancers
 * hear of it later than the pod hears SIGTERM (https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/).
 */
export async function drain(
  readiness: Readiness,
  servers: readonly Drainable[],
  options: {
    readonly clock: Clock;
    readonly delayMs: number;
    readonly timeoutMs: number;
    /** Takes the server out of its registries. Default: it is in none. */
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
