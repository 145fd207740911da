import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type Context, checkOptions, completeContext, messageOf, printableLine } from "@grpc-lb/core";
import {
  type LoadStatsRequest,
  LoadStatsResponse,
  LoadReportingServiceService as Lrs,
} from "@grpc-lb/protos/envoy/service/load_stats/v3";
import { type ClientNode, readClientNode } from "./client-node.ts";
import type { LoadServer, LoadServerOptions } from "./load.ts";
import { prepareMethod } from "./prepare-method.ts";
import { malformed, malformedDetails } from "./protocol.ts";
import { readClusterLoad } from "./read-load.ts";
import { closing, type Place, StreamGate } from "./stream-gate.ts";

/**
 * Creates the service of load reports (LRS). It asks each client to report all clusters, each endpoint for itself, which clients of
 * gRPC do not do.
 *
 * @throws TypeError for options that are not valid
 */
export function createLoadServer(options: LoadServerOptions): LoadServer {
  return createLoadServerIn(options, {});
}

type LoadCall = ServerDuplexStream<LoadStatsRequest | typeof malformed, Buffer>;

interface LoadStream {
  /** Undefined before the first request. */
  node: ClientNode | undefined;
  readonly place: Place;
}

/** The same with another clock, for tests. */
export function createLoadServerIn(options: LoadServerOptions, context: Context): LoadServer {
  validate(options);
  const {
    onReport,
    onRefused,
    maxStreams = 10_000,
    maxStreamsPerHost = 1_000,
    firstRequestTimeoutMs = 10_000,
  } = options;
  const { clock } = completeContext(context);
  const gate = new StreamGate({ service: "LRS", maxStreams, maxStreamsPerHost, firstRequestTimeoutMs, clock });
  let { intervalMs = 10_000 } = options;
  const streams = new Map<LoadCall, LoadStream>();

  const forget = (call: LoadCall) => {
    streams.get(call)?.place.leave();
    streams.delete(call);
  };
  const end = (call: LoadCall, code: status, details: string) => {
    forget(call);
    call.emit("error", { code, details });
  };
  const refuse = (call: LoadCall, code: status, details: string) => {
    onRefused?.(details, call.getPeer());
    end(call, code, details);
  };
  const connect = (call: LoadCall, stream: LoadStream, { node }: LoadStatsRequest) => {
    if (!node) return refuse(call, status.INVALID_ARGUMENT, "the first request has no node");
    try {
      stream.node = readClientNode(node);
    } catch (error) {
      return refuse(call, status.INVALID_ARGUMENT, `the node is not valid: ${messageOf(error)}`);
    }
    call.write(describeWanted(intervalMs));
  };

  const streamLoadStats = (call: LoadCall) => {
    const place = gate.admit(call.getPeer(), (code, details) => refuse(call, code, details));
    if (place.t === "refused") return (place.isClosed ? end : refuse)(call, place.code, place.details);
    const stream: LoadStream = { node: undefined, place };
    streams.set(call, stream);
    call.on("data", (message: LoadStatsRequest | typeof malformed) => {
      if (!streams.has(call)) return;
      place.onRequest();
      if (message === malformed) return refuse(call, status.INVALID_ARGUMENT, malformedDetails);
      const request = message as LoadStatsRequest;
      if (!stream.node) connect(call, stream, request);
      if (!stream.node) return;
      try {
        for (const stats of request.clusterStats) onReport(readClusterLoad(stream.node, stats));
      } catch (error) {
        end(call, status.INTERNAL, printableLine(messageOf(error), 500));
      }
    });
    call.on("end", () => {
      forget(call);
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => forget(call));
  };

  return {
    addTo: (server) => server.addService({ streamLoadStats: prepareMethod(Lrs.streamLoadStats) }, { streamLoadStats }),
    setIntervalMs: (next) => {
      validate({ ...options, intervalMs: next });
      if (next === intervalMs) return;
      intervalMs = next;
      for (const [call, { node }] of streams) if (node) call.write(describeWanted(intervalMs));
    },
    close: () => {
      gate.close();
      for (const call of [...streams.keys()]) end(call, status.UNAVAILABLE, closing);
    },
  };
}

function describeWanted(intervalMs: number): Buffer {
  const response = LoadStatsResponse.fromPartial({
    sendAllClusters: true,
    loadReportingInterval: {
      seconds: BigInt(Math.floor(intervalMs / 1_000)),
      nanos: Math.round((intervalMs % 1_000) * 1_000_000),
    },
    reportEndpointGranularity: true,
  });
  return Buffer.from(LoadStatsResponse.encode(response).finish());
}

function validate(options: LoadServerOptions): void {
  const atLeast = (least: number) => (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least ? undefined : `must be a whole number >= ${least}`;
  const rules = {
    onReport: "function",
    onRefused: "function",
    intervalMs: atLeast(100),
    maxStreams: atLeast(1),
    maxStreamsPerHost: atLeast(1),
    firstRequestTimeoutMs: atLeast(1),
  } as const;
  checkOptions("createLoadServer", options, rules, ["onReport"]);
}
