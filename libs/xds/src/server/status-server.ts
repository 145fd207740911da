import { type Server, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { messageOf, printableLine } from "@grpc-lb/core";
import {
  type ClientStatusRequest,
  ClientStatusDiscoveryServiceService as Csds,
} from "@grpc-lb/protos/envoy/service/status/v3";
import type { SnapshotCache } from "../cache/index.ts";
import type { AdsClientInfo, AdsServer } from "./api.ts";
import { encodeClientStatus } from "./encode-client-status.ts";
import { matchesNode, problemOfMatchers } from "./node-matcher.ts";
import { prepareMethod } from "./prepare-method.ts";
import { malformed, malformedDetails } from "./protocol.ts";

/** What the service shows. */
export interface StatusServerOptions {
  readonly ads: Pick<AdsServer, "clientStatuses">;
  /** Where the resources are that `ads` serves. */
  readonly cache: SnapshotCache;
}

/** A service without state; it ends with the server that it is added to. */
export interface StatusServer {
  /** Adds the service to a server that has not started. It shows all clients and resources: add it where only operators reach it. */
  addTo(server: Server): void;
}

/** Clients of gRPC take no larger message, unless they are told to. */
const maxResponseBytes = 4 * 2 ** 20;
const maxMessageLength = 500;

interface Failure {
  readonly code: status;
  readonly details: string;
}

/**
 * Creates the service that shows what each client was sent, and has accepted or rejected (CSDS). A response has at most 4 MiB: if the
 * contents of the resources do not fit, it has none of them, as if `exclude_resource_contents` were set. If it is too large even so, the
 * call fails with RESOURCE_EXHAUSTED, and a request with `node_matchers` gets a part.
 */
export function createStatusServer({ ads, cache }: StatusServerOptions): StatusServer {
  const encode = ({ nodeMatchers, excludeResourceContents }: ClientStatusRequest): Buffer | Failure => {
    const problem = problemOfMatchers(nodeMatchers);
    if (problem !== undefined) return { code: status.INVALID_ARGUMENT, details: problem };
    const isWanted = ({ node }: AdsClientInfo) => matchesNode(nodeMatchers, node);
    for (const contents of excludeResourceContents ? [undefined] : [cache, undefined]) {
      const response = encodeClientStatus(ads.clientStatuses(isWanted), { contents, maxBytes: maxResponseBytes });
      if (response) return response;
    }
    const limit = `the status of these clients has more than ${maxResponseBytes} bytes, also without the contents of resources`;
    return { code: status.RESOURCE_EXHAUSTED, details: `${limit}; choose fewer of them by node_matchers` };
  };
  const answer = (request: ClientStatusRequest): Buffer | Failure => {
    try {
      return encode(request);
    } catch (error) {
      return { code: status.INTERNAL, details: printableLine(messageOf(error), maxMessageLength) };
    }
  };
  return {
    addTo: (server) =>
      server.addService(
        {
          fetchClientStatus: { ...Csds.fetchClientStatus, responseSerialize: (bytes: Buffer) => bytes },
          streamClientStatus: prepareMethod(Csds.streamClientStatus),
        },
        {
          fetchClientStatus: (
            { request }: ServerUnaryCall<ClientStatusRequest, Buffer>,
            done: sendUnaryData<Buffer>,
          ) => {
            const response = answer(request);
            if (Buffer.isBuffer(response)) done(null, response);
            else done(response);
          },
          streamClientStatus: (call: ServerDuplexStream<ClientStatusRequest | typeof malformed, Buffer>) => {
            call.on("data", (request: ClientStatusRequest | typeof malformed) => {
              call.pause(); // the next request is read when the answer to this one is sent
              const response =
                request === malformed
                  ? { code: status.INVALID_ARGUMENT, details: malformedDetails }
                  : answer(request as ClientStatusRequest);
              if (Buffer.isBuffer(response)) call.write(response, () => call.resume());
              else call.emit("error", response);
            });
            call.on("end", () => call.end());
          },
        },
      ),
  };
}
