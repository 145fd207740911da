import type { Clock, Random } from "@grpc-lb/core";
import { AdsClient, type AdsClientOptions } from "@grpc-lb/xds/client";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import { identify, type Lease, SharedRuns } from "../core/shared-runs.ts";
import { describeFailure } from "./error.ts";

const running = new SharedRuns<AdsClient>();

/** The client of a control plane that all sources of the process share: one stream for the same address, node and credentials. */
export function acquireControlPlane(
  options: AdsClientOptions,
  context: { readonly clock: Clock; readonly random: Random },
): Lease<AdsClient> {
  const { host, port, node, credentials, protocol } = options;
  const key = `${identify(context.clock)} ${JSON.stringify([host, port, node, credentials, protocol])}`;
  return running.acquire(
    key,
    () => new AdsClient(options, context),
    (client, signal) => {
      const attempt = (onHealthy: () => void) => client.attempt(onHealthy, signal);
      // The client has told the watchers already.
      return runWithRestarts({ attempt, onFailure: (cause) => describeFailure("watch", cause), ...context }, signal);
    },
  );
}
