import { credentials, Metadata } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";

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
