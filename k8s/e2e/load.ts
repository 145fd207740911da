import { credentials, Metadata } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";

/** Calls that go on and on from this process, over one channel. */
export interface Load {
  /** The pod that answered, and when, for each call that succeeded. */
  readonly calls: readonly { readonly pod: string; readonly atMs: number }[];
  /** What each failed call said. */
  readonly errors: readonly string[];
  /** Ends it when the calls under way have ended. */
  stop(): Promise<void>;
}

/** Calls `target` every `intervalMs`, whether or not the calls before have ended. */
export function startLoad(target: string, intervalMs: number): Load {
  const client = new PodServiceClient(target, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  const calls: { pod: string; atMs: number }[] = [];
  const errors: string[] = [];
  const stopping = new AbortController();
  let underWay = 0;
  const call = () => {
    underWay += 1;
    client.getPod({}, new Metadata(), { deadline: Date.now() + 5_000 }, (error, response) => {
      underWay -= 1;
      if (error) errors.push(error.message);
      else calls.push({ pod: response.pod?.name ?? "", atMs: systemClock.now() });
    });
  };
  const run = (async () => {
    while (!stopping.signal.aborted) {
      call();
      await systemClock.sleep(intervalMs, stopping.signal);
    }
    while (underWay > 0) await systemClock.sleep(50);
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
