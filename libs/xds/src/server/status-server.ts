import { type Server, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { ClientResourceStatus } from "@grpc-lb/protos/envoy/admin/v3";
import { DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import {
  ClientConfig,
  ClientStatusDiscoveryServiceService,
  type ClientStatusRequest,
  ClientStatusResponse,
  ConfigStatus,
} from "@grpc-lb/protos/envoy/service/status/v3";
import type { NodeMatcher, StringMatcher } from "@grpc-lb/protos/envoy/type/matcher/v3";
import type { SnapshotCache } from "../cache/index.ts";
import type { AdsClientStatus, AdsResourceStatus, AdsServer } from "./api.ts";
import type { ClientNode } from "./client-node.ts";

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

/** Creates the service that shows what each client was sent, and has accepted or rejected (CSDS). */
export function createStatusServer({ ads, cache }: StatusServerOptions): StatusServer {
  const answer = (request: ClientStatusRequest): ClientStatusResponse | string => {
    const problem = request.nodeMatchers.flatMap((matcher) => problemOf(matcher) ?? [])[0];
    if (problem !== undefined) return problem;
    const isWanted = ({ node }: AdsClientStatus) =>
      request.nodeMatchers.length === 0 || request.nodeMatchers.some((matcher) => matches(matcher, node));
    const config = ads
      .clientStatuses()
      .filter(isWanted)
      .map((client) => describeClient(client, request, cache));
    return ClientStatusResponse.fromPartial({ config });
  };
  return {
    addTo: (server) =>
      server.addService(ClientStatusDiscoveryServiceService, {
        fetchClientStatus: (
          { request }: ServerUnaryCall<ClientStatusRequest, ClientStatusResponse>,
          callback: sendUnaryData<ClientStatusResponse>,
        ) => {
          const response = answer(request);
          if (typeof response !== "string") callback(null, response);
          else callback({ code: status.INVALID_ARGUMENT, details: response });
        },
        streamClientStatus: (call: ServerDuplexStream<ClientStatusRequest, ClientStatusResponse>) => {
          call.on("data", (request: ClientStatusRequest) => {
            const response = answer(request);
            if (typeof response !== "string") call.write(response);
            else call.emit("error", { code: status.INVALID_ARGUMENT, details: response });
          });
          call.on("end", () => call.end());
        },
      }),
  };
}

const states: Readonly<Record<AdsResourceStatus["state"], readonly [ConfigStatus, ClientResourceStatus]>> = {
  acked: [ConfigStatus.SYNCED, ClientResourceStatus.ACKED],
  sent: [ConfigStatus.STALE, ClientResourceStatus.REQUESTED],
  pending: [ConfigStatus.STALE, ClientResourceStatus.REQUESTED],
  rejected: [ConfigStatus.ERROR, ClientResourceStatus.NACKED],
  missing: [ConfigStatus.NOT_SENT, ClientResourceStatus.DOES_NOT_EXIST],
};

function describeClient(
  { id, node, group, resources }: AdsClientStatus,
  { excludeResourceContents }: ClientStatusRequest,
  cache: SnapshotCache,
): ClientConfig {
  const snapshot = cache.snapshot(group);
  const genericXdsConfigs = resources.map(({ typeUrl, name, version = "", state, message }) => {
    const resource = excludeResourceContents ? undefined : snapshot?.get(typeUrl, name);
    const [configStatus, clientStatus] = states[state];
    return {
      typeUrl,
      name,
      versionInfo: version,
      configStatus,
      clientStatus,
      ...(resource && { xdsConfig: DiscoveryResponse.decode(resource.stateField).resources[0] }),
      ...(message !== undefined && { errorState: { details: message, versionInfo: version } }),
    };
  });
  return ClientConfig.fromPartial({ node, clientScope: String(id), genericXdsConfigs });
}

function problemOf({ nodeId, nodeMetadatas }: NodeMatcher): string | undefined {
  if (nodeMetadatas.length > 0) return "node_matchers by metadata are not supported, only by node_id";
  if (nodeId?.matchPattern?.$case !== "safeRegex") return undefined;
  return "node_matchers by regular expression are not supported; use exact, prefix, suffix or contains";
}

function matches({ nodeId }: NodeMatcher, { id }: ClientNode): boolean {
  return !nodeId || matchesText(nodeId, id);
}

function matchesText({ matchPattern, ignoreCase }: StringMatcher, text: string): boolean {
  if (!matchPattern || matchPattern.$case === "safeRegex") return false;
  const [value, pattern] = ignoreCase
    ? [text.toLowerCase(), matchPattern.value.toLowerCase()]
    : [text, matchPattern.value];
  switch (matchPattern.$case) {
    case "exact":
      return value === pattern;
    case "prefix":
      return value.startsWith(pattern);
    case "suffix":
      return value.endsWith(pattern);
    case "contains":
      return value.includes(pattern);
  }
}
