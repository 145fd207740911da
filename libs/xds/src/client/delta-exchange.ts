import { status } from "@grpc/grpc-js";
import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { createNodeOnce, type Exchange } from "./exchange.ts";
import type { Subscriptions } from "./subscriptions.ts";

/**
 * Delta (incremental) xDS: the server sends what has changed since the versions that the client resumes from
 * (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds).
 */
export class DeltaExchange implements Exchange<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly #node: () => Node | undefined;
  /** The names that the server knows of, by type. */
  readonly #subscribed = new Map<string, ReadonlySet<string>>();

  constructor(node: Node) {
    this.#node = createNodeOnce(node);
  }

  update(subscriptions: Subscriptions) {
    const { typeUrl } = subscriptions.type;
    const names = new Set(subscriptions.names);
    const before = this.#subscribed.get(typeUrl);
    const requested = [...names].filter((name) => !before?.has(name));
    const resourceNamesUnsubscribe = [...(before ?? [])].filter((name) => !names.has(name));
    if (requested.length === 0 && resourceNamesUnsubscribe.length === 0) return undefined;
    this.#subscribed.set(typeUrl, names);
    const request = DeltaDiscoveryRequest.fromPartial({
      node: this.#node(),
      typeUrl,
      resourceNamesSubscribe: requested,
      resourceNamesUnsubscribe,
      initialResourceVersions: before ? {} : subscriptions.versions(),
    });
    return { request, requested };
  }

  receive(subscriptions: Subscriptions, { resources, removedResources }: DeltaDiscoveryResponse): string | undefined {
    subscriptions.stateVersion = "";
    const received = resources.flatMap(({ name, version, resource }) =>
      // One without a body says that the resource has not changed (a heartbeat of its TTL).
      resource ? [{ name, version, typeUrl: resource.typeUrl, bytes: resource.value }] : [],
    );
    return subscriptions.receive(received, removedResources);
  }

  acknowledge(_: Subscriptions, { typeUrl, nonce }: DeltaDiscoveryResponse, rejection: string | undefined) {
    return DeltaDiscoveryRequest.fromPartial({
      node: this.#node(),
      typeUrl,
      responseNonce: nonce,
      ...(rejection !== undefined && { errorDetail: { code: status.INVALID_ARGUMENT, message: rejection } }),
    });
  }
}
