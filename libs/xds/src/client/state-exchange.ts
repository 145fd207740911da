import { status } from "@grpc/grpc-js";
import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { DiscoveryRequest, type DiscoveryResponse, Resource } from "@grpc-lb/protos/envoy/service/discovery/v3";
import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import { createNodeOnce, type Exchange } from "./exchange.ts";
import type { Received, Subscriptions } from "./subscriptions.ts";

const wrapperType = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/**
 * State-of-the-world xDS: each request has all names, and one version counts for all resources of a type
 * (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#basic-protocol-overview).
 */
export class StateExchange implements Exchange<DiscoveryRequest, DiscoveryResponse> {
  readonly #node: () => Node | undefined;
  /** By type: the names that the server knows of, and the nonce of its last response. */
  readonly #sent = new Map<string, { readonly names: ReadonlySet<string>; nonce: string }>();

  constructor(node: Node) {
    this.#node = createNodeOnce(node);
  }

  update(subscriptions: Subscriptions) {
    const { typeUrl } = subscriptions.type;
    const names = new Set(subscriptions.names);
    const before = this.#sent.get(typeUrl);
    const requested = [...names].filter((name) => !before?.names.has(name));
    if (requested.length === 0 && names.size === (before?.names.size ?? 0)) return undefined;
    // A server that receives a version may send nothing until it has another one.
    if (!before && !subscriptions.isKnown) subscriptions.stateVersion = "";
    this.#sent.set(typeUrl, { names, nonce: before?.nonce ?? "" });
    return { request: this.#request(subscriptions, undefined), requested };
  }

  receive(subscriptions: Subscriptions, response: DiscoveryResponse): string | undefined {
    const sent = this.#sent.get(subscriptions.type.typeUrl);
    if (sent) sent.nonce = response.nonce;
    const received = response.resources.flatMap(readResource);
    const isHeartbeat = received.length < response.resources.length; // which has those alone that have a time to live
    const rejection = subscriptions.receive(received, subscriptions.type.isComplete && !isHeartbeat ? "others" : []);
    if (rejection === undefined) subscriptions.stateVersion = response.versionInfo;
    return rejection;
  }

  acknowledge(subscriptions: Subscriptions, _: DiscoveryResponse, rejection: string | undefined) {
    return this.#request(subscriptions, rejection);
  }

  /** With the version of the last response that was accepted, and the nonce of the last one. */
  #request(subscriptions: Subscriptions, rejection: string | undefined): DiscoveryRequest {
    const { typeUrl } = subscriptions.type;
    const sent = this.#sent.get(typeUrl);
    return DiscoveryRequest.fromPartial({
      node: this.#node(),
      typeUrl,
      versionInfo: subscriptions.stateVersion,
      resourceNames: [...(sent?.names ?? [])],
      responseNonce: sent?.nonce ?? "",
      ...(rejection !== undefined && { errorDetail: { code: status.INVALID_ARGUMENT, message: rejection } }),
    });
  }
}

/**
 * A resource of a response. It may be wrapped in a message with a name and a time to live, as go-control-plane does with those that have one; a
 * wrapper without a resource says that it has not changed.
 */
function readResource({ typeUrl, value: bytes }: Any): Received[] {
  const plain = { name: undefined, version: undefined, typeUrl, bytes };
  if (typeUrl !== wrapperType) return [plain];
  try {
    const { resource } = Resource.decode(bytes);
    return resource ? [{ ...plain, typeUrl: resource.typeUrl, bytes: resource.value }] : [];
  } catch {
    return [plain]; // which is rejected for its type
  }
}
