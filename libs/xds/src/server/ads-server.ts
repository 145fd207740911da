import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type Context, checkOptions, completeContext } from "@grpc-lb/core";
import {
  AggregatedDiscoveryServiceService as Ads,
  type DeltaDiscoveryRequest,
  type DiscoveryRequest,
} from "@grpc-lb/protos/envoy/service/discovery/v3";
import { SnapshotCache } from "../cache/index.ts";
import type { AdsServer, AdsServerOptions } from "./api.ts";
import { delta } from "./delta.ts";
import { prepareMethod } from "./prepare-method.ts";
import type { AnyRequest } from "./protocol.ts";
import { ResponseEncoder } from "./response-encoder.ts";
import { stateOfTheWorld } from "./state-of-the-world.ts";
import { AdsStream, type StreamOptions } from "./stream.ts";
import { closing, StreamGate } from "./stream-gate.ts";

/** Creates the service of ADS. @throws TypeError or RangeError for options that are not valid */
export function createAdsServer(options: AdsServerOptions): AdsServer {
  return createAdsServerIn(options, {});
}

/** The same with another clock, for tests. */
export function createAdsServerIn(options: AdsServerOptions, context: Context): AdsServer {
  validate(options);
  const { cache, groupOf = () => "", identifier = "", limits = {}, orderTimeoutMs = 5_000 } = options;
  const { maxStreams = 10_000, maxStreamsPerHost = 1_000, firstRequestTimeoutMs = 10_000 } = limits;
  const {
    maxSubscriptions = 100_000,
    maxNameCharacters = 4 * 2 ** 20,
    maxTypes = 32,
    maxResponseBytes = 2 ** 20,
  } = limits;
  const { clock } = completeContext(context);
  const gate = new StreamGate({ service: "ADS", maxStreams, maxStreamsPerHost, firstRequestTimeoutMs, clock });
  const streams = new Map<number, Pick<AdsStream<AnyRequest>, "client" | "clientStatus" | "end" | "refuse">>();
  const counts = { requests: 0, responses: 0, responseBytes: 0, rejections: 0, refusals: 0 };
  const deltaEncoder = new ResponseEncoder(delta, identifier);
  const stateEncoder = new ResponseEncoder(stateOfTheWorld, identifier);
  let lastId = 0;

  const openStream = <Q extends AnyRequest>(call: ServerDuplexStream<Q, Buffer>, encoder: ResponseEncoder<Q>) => {
    lastId += 1;
    const id = lastId;
    const peer = call.getPeer();
    const refused = (reason: string) => {
      counts.refusals += 1;
      options.onRefused?.(reason, peer);
    };
    const place = gate.admit(peer, (code, details) => streams.get(id)?.refuse(code, details));
    if (place.t === "refused") {
      if (!place.isClosed) refused(place.details);
      call.emit("error", place);
      return;
    }
    const streamOptions: StreamOptions = {
      cache,
      groupOf,
      maxSubscriptions,
      maxNameCharacters,
      maxTypes,
      maxResponseBytes,
      orderTimeoutMs,
      clock,
      onConnected: options.onConnected,
      onRequest: () => {
        place.onRequest();
        counts.requests += 1;
      },
      onResponse: (bytes) => {
        counts.responses += 1;
        counts.responseBytes += bytes;
      },
      onRejected: (rejection) => {
        counts.rejections += 1;
        options.onRejected?.(rejection);
      },
      onEnded: (client, reason, isRefused) => {
        streams.delete(id);
        place.leave();
        if (isRefused) refused(reason);
        if (client) options.onDisconnected?.(client, reason);
      },
    };
    streams.set(id, new AdsStream(id, call, encoder, streamOptions));
  };

  return {
    addTo: (server) =>
      server.addService(
        {
          streamAggregatedResources: prepareMethod(Ads.streamAggregatedResources),
          deltaAggregatedResources: prepareMethod(Ads.deltaAggregatedResources),
        },
        {
          streamAggregatedResources: (call: ServerDuplexStream<DiscoveryRequest, Buffer>) =>
            openStream(call, stateEncoder),
          deltaAggregatedResources: (call: ServerDuplexStream<DeltaDiscoveryRequest, Buffer>) =>
            openStream(call, deltaEncoder),
        },
      ),
    clients: () => [...streams.values()].flatMap(({ client }) => client ?? []),
    *clientStatuses(isWanted = () => true) {
      for (const stream of [...streams.values()]) {
        const status = stream.client && isWanted(stream.client) && stream.clientStatus();
        if (status) yield status;
      }
    },
    stats: () => ({ streams: streams.size, ...counts }),
    close: () => {
      gate.close();
      for (const stream of [...streams.values()]) stream.end(status.UNAVAILABLE, closing);
    },
  };
}

function validate(options: AdsServerOptions): void {
  const positive = (value: unknown) =>
    Number.isInteger(value) && (value as number) > 0 ? undefined : "must be a whole number above 0";
  checkOptions(
    "createAdsServer",
    options,
    {
      cache: (value) => (value instanceof SnapshotCache ? undefined : "must be a SnapshotCache"),
      groupOf: "function",
      identifier: "string",
      limits: {
        options: {
          maxStreams: positive,
          maxStreamsPerHost: positive,
          maxSubscriptions: positive,
          maxNameCharacters: positive,
          maxTypes: positive,
          maxResponseBytes: positive,
          firstRequestTimeoutMs: positive,
        },
      },
      orderTimeoutMs: positive,
      onConnected: "function",
      onDisconnected: "function",
      onRejected: "function",
      onRefused: "function",
    },
    ["cache"],
  );
}
