import { credentials } from "@grpc/grpc-js";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";

/** What servers report of their load, read by streams of this process's own (gRFC A51, out of band). */
export interface LoadReports {
  /**
   * The median of the weights that follow from each server's reports (gRFC A58), in the order of the addresses: the mean would go
   * by what a server reports as the last of its calls end, when it has done much and has little in hand.
   */
  weights(): readonly number[];
  /** Ends the streams. */
  stop(): void;
}

/** Begins to read the reports of the servers at `addresses`, `host:port`, one a second. */
export function watchLoadReports(addresses: readonly string[]): LoadReports {
  const servers = addresses.map((address) => {
    const client = new OpenRcaServiceClient(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
    const call = client.streamCoreMetrics({ reportInterval: { seconds: 1n, nanos: 0 }, requestCostNames: [] });
    const weights: number[] = [];
    call.on("data", ({ rpsFractional, applicationUtilization }) => {
      if (rpsFractional > 0 && applicationUtilization > 0) weights.push(rpsFractional / applicationUtilization);
    });
    call.on("error", () => {}); // it was stopped; a server that reports nothing has no weight, and that is seen
    return { client, call, weights };
  });
  return {
    weights: () => servers.map(({ weights }) => medianOf(weights)),
    stop() {
      for (const { call, client } of servers) {
        call.cancel();
        client.close();
      }
    },
  };
}

const medianOf = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
