import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { checkOptions, messageOf, printableLine } from "@grpc-lb/core";
import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import {
  LoadReportingServiceService,
  type LoadStatsRequest,
  LoadStatsResponse,
} from "@grpc-lb/protos/envoy/service/load_stats/v3";
import type { LoadServer, LoadServerOptions } from "./load.ts";
import { readClusterLoad } from "./read-load.ts";

const closing = "the control plane is shutting down";

/**
 * Creates the service of load reports (LRS). It asks each client to report all clusters, each endpoint for itself, which clients of
 * gRPC do not do.
 *
 * @throws TypeError for options that are not valid
 */
export function createLoadServer(options: LoadServerOptions): LoadServer {
  validate(options);
  const { onReport, clustersOf, maxStreams = 10_000 } = options;
  let { intervalMs = 10_000 } = options;
  /** With the node of each, once it has sent it. */
  const streams = new Map<ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>, Node | undefined>();
  let isClosed = false;

  const streamLoadStats = (call: ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>) => {
    const end = (code: status, details: string) => {
      streams.delete(call);
      call.emit("error", { code, details });
    };
    if (isClosed) return end(status.UNAVAILABLE, closing);
    if (streams.size >= maxStreams) {
      return end(status.RESOURCE_EXHAUSTED, `the control plane takes load from at most ${maxStreams} streams`);
    }
    streams.set(call, undefined);
    let node: Node | undefined;
    call.on("data", (request: LoadStatsRequest) => {
      if (!streams.has(call)) return;
      try {
        if (!node) {
          if (!request.node) return end(status.INVALID_ARGUMENT, "the first request has no node");
          node = request.node;
          streams.set(call, node);
          call.write(describeWanted(intervalMs, clustersOf?.(node)));
        }
        for (const stats of request.clusterStats) onReport(readClusterLoad(node, stats));
      } catch (error) {
        end(status.INTERNAL, printableLine(messageOf(error), 500));
      }
    });
    call.on("end", () => {
      streams.delete(call);
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => streams.delete(call));
  };

  return {
    addTo: (server) => server.addService(LoadReportingServiceService, { streamLoadStats }),
    setIntervalMs: (next) => {
      validate({ ...options, intervalMs: next });
      if (next === intervalMs) return;
      intervalMs = next;
      for (const [call, node] of streams) if (node) call.write(describeWanted(intervalMs, clustersOf?.(node)));
    },
    close: () => {
      isClosed = true;
      for (const call of [...streams.keys()]) {
        streams.delete(call);
        call.emit("error", { code: status.UNAVAILABLE, details: closing });
      }
    },
  };
}

function describeWanted(intervalMs: number, clusters: readonly string[] | undefined): LoadStatsResponse {
  return LoadStatsResponse.fromPartial({
    clusters: [...(clusters ?? [])],
    sendAllClusters: clusters === undefined,
    loadReportingInterval: {
      seconds: BigInt(Math.floor(intervalMs / 1_000)),
      nanos: Math.round((intervalMs % 1_000) * 1_000_000),
    },
    reportEndpointGranularity: true,
  });
}

function validate(options: LoadServerOptions): void {
  const atLeast = (least: number) => (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least ? undefined : `must be a whole number >= ${least}`;
  const rules = {
    onReport: "function",
    intervalMs: atLeast(100),
    clustersOf: "function",
    maxStreams: atLeast(1),
  } as const;
  checkOptions("createLoadServer", options, rules, ["onReport"]);
}
