import { ClientResourceStatus } from "@grpc-lb/protos/envoy/admin/v3";
import { DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { ClientConfig, ClientStatusResponse, ConfigStatus } from "@grpc-lb/protos/envoy/service/status/v3";
import type { Resource, SnapshotCache } from "../cache/index.ts";
import type { AdsClientStatus, AdsResourceStatus } from "./api.ts";

/** What a response has, and how large it may become. */
export interface StatusEncoding {
  /** Where the contents of the resources are; undefined to leave them out. */
  readonly contents: SnapshotCache | undefined;
  readonly maxBytes: number;
}

/** Encodes a `ClientStatusResponse`, one client after the other. @returns undefined as soon as it is too large */
export function encodeClientStatus(
  clients: Iterable<AdsClientStatus>,
  { contents, maxBytes }: StatusEncoding,
): Buffer | undefined {
  const parts: Uint8Array[] = [];
  let left = maxBytes;
  for (const client of clients) {
    const snapshot = contents?.snapshot(client.group);
    const resources = client.resources.map(({ typeUrl, name }) => snapshot?.get(typeUrl, name));
    // Contents are not even copied when they are too large.
    if (resources.reduce((sum, resource) => sum + (resource?.stateField.length ?? 0), 0) > left) return undefined;
    // Parts of a repeated field are one message together.
    const part = ClientStatusResponse.encode({ config: [describeClient(client, resources)] }).finish();
    left -= part.length;
    if (left < 0) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const states: Readonly<Record<AdsResourceStatus["state"], readonly [ConfigStatus, ClientResourceStatus]>> = {
  acked: [ConfigStatus.SYNCED, ClientResourceStatus.ACKED],
  sent: [ConfigStatus.STALE, ClientResourceStatus.REQUESTED],
  pending: [ConfigStatus.STALE, ClientResourceStatus.REQUESTED],
  rejected: [ConfigStatus.ERROR, ClientResourceStatus.NACKED],
  missing: [ConfigStatus.NOT_SENT, ClientResourceStatus.DOES_NOT_EXIST],
};

function describeClient(
  { id, node, resources }: AdsClientStatus,
  contents: readonly (Resource | undefined)[],
): ClientConfig {
  const genericXdsConfigs = resources.map(({ typeUrl, name, version = "", state, message }, n) => {
    const content = contents[n];
    const [configStatus, clientStatus] = states[state];
    return {
      typeUrl,
      name,
      versionInfo: version,
      configStatus,
      clientStatus,
      ...(content && { xdsConfig: DiscoveryResponse.decode(content.stateField).resources[0] }),
      ...(message !== undefined && { errorState: { details: message, versionInfo: version } }),
    };
  });
  return ClientConfig.fromPartial({ node, clientScope: String(id), genericXdsConfigs });
}
