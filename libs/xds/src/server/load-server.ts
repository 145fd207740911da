import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type Context, checkOptions, completeContext, messageOf, printableLine } from "@grpc-lb/core";
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
  return createLoadServerIn(options, {});
}

interface LoadStream {
  /** Undefined before the first request. */
  node: Node | undefined;
  /** Aborted when the stream has ended. */
  readonly ended: AbortController;
}

/** The same with another clock, for tests. */
export function createLoadServerIn(options: LoadServerOptions, context: Context): LoadServer {
  validate(options);
  const { onReport, maxStreams = 10_000, firstRequestTimeoutMs = 10_000 } = options;
  const { clock } = completeContext(context);
  let { intervalMs = 10_000 } = options;
  const streams = new Map<ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>, LoadStream>();
  let isClosed = false;

  const streamLoadStats = (call: ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>) => {
    const forget = () => {
      streams.get(call)?.ended.abort();
      streams.delete(call);
    };
    const end = (code: status, details: string) => {
      forget();
      call.emit("error", { code, details });
    };
    if (isClosed) return end(status.UNAVAILABLE, closing);
    if (streams.size >= maxStreams) {
      return end(status.RESOURCE_EXHAUSTED, `the control plane takes load from at most ${maxStreams} streams`);
    }
    const stream: LoadStream = { node: undefined, ended: new AbortController() };
    streams.set(call, stream);
    void clock.sleep(firstRequestTimeoutMs, stream.ended.signal, { background: true }).then(() => {
      if (stream.node || !streams.has(call)) return;
      end(status.DEADLINE_EXCEEDED, `no request came in ${firstRequestTimeoutMs} ms`);
    });
    call.on("data", (request: LoadStatsRequest) => {
      if (!streams.has(call)) return;
      try {
        if (!stream.node) {
          if (!request.node) return end(status.INVALID_ARGUMENT, "the first request has no node");
          stream.node = request.node;
          call.write(describeWanted(intervalMs));
        }
        for (const stats of request.clusterStats) onReport(readClusterLoad(stream.node, stats));
      } catch (error) {
        end(status.INTERNAL, printableLine(messageOf(error), 500));
      }
    });
    call.on("end", () => {
      forget();
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, forget);
  };

  return {
    addTo: (server) => server.addService(LoadReportingServiceService, { streamLoadStats }),
    setIntervalMs: (next) => {
      validate({ ...options, intervalMs: next });
      if (next === intervalMs) return;
      intervalMs = next;
      for (const [call, { node }] of streams) if (node) call.write(describeWanted(intervalMs));
    },
    close: () => {
      isClosed = true;
      for (const [call, { ended }] of [...streams]) {
        ended.abort();
        streams.delete(call);
        call.emit("error", { code: status.UNAVAILABLE, details: closing });
      }
    },
  };
}

function describeWanted(intervalMs: number): LoadStatsResponse {
  return LoadStatsResponse.fromPartial({
    sendAllClusters: true,
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
    maxStreams: atLeast(1),
    firstRequestTimeoutMs: atLeast(1),
  } as const;
  checkOptions("createLoadServer", options, rules, ["onReport"]);
}
