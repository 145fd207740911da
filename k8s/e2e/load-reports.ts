import { credentials } from "@grpc/grpc-js";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";

/** The load reports of servers, read by streams of this process (gRFC A51, out-of-band). */
export interface LoadReports {
  /**
   * The median of each server's weights by its reports (gRFC A58), in the order of the addresses. The mean would depend on the
   * reports at the end, when a server has finished many calls and has few in flight.
   */
  weights(): readonly number[];
  /** Ends the streams. */
  stop(): void;
}

/** Starts to read the reports of the servers at `addresses` (`host:port`), one a second. */
export function watchLoadReports(addresses: readonly string[]): LoadReports {
  const servers = addresses.map((address) => {
    const client = new OpenRcaServiceClient(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
    const call = client.streamCoreMetrics({ reportInterval: { seconds: 1n, nanos: 0 }, requestCostNames: [] });
    const weights: number[] = [];
    call.on("data", ({ rpsFractional, applicationUtilization }) => {
      if (rpsFractional > 0 && applicationUtilization > 0) weights.push(rpsFractional / applicationUtilization);
    });
    call.on("error", () => {}); // stopped; a server without reports has the weight 0, and the test fails
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
