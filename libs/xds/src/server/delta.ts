import { type DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import type { Resource } from "../cache/index.ts";
import { isListed } from "../type-urls.ts";
import type { Draft, Protocol } from "./protocol.ts";

/**
 * Delta (incremental) xDS: a response has what is new, changed or removed
 * (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds).
 */
export const delta: Protocol<DeltaDiscoveryRequest> = {
  name: "delta",

  namesOf: ({ resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions }) => [
    ...resourceNamesSubscribe,
    ...resourceNamesUnsubscribe,
    ...Object.keys(initialResourceVersions),
  ],

  // Each request changes the subscriptions, whatever the client has seen.
  isStale: () => false,
  forget: () => {},

  subscribe(subscription, request, isFirst, snapshot) {
    const { resourceNamesSubscribe: added, resourceNamesUnsubscribe: removed, initialResourceVersions } = request;
    const isImplied = isFirst && added.length === 0 && isListed(subscription.typeUrl);
    for (const name of removed) {
      if (name === "*") subscription.isWildcard = false;
      else subscription.delete(name);
      subscription.awaited.delete(name);
      // The client has forgotten the resource, but all resources are still wanted.
      if (name !== "*" && subscription.isWildcard) subscription.request(name);
    }
    const isAll = isImplied || added.includes("*");
    subscription.isWildcard ||= isAll;
    // The cost of a request grows with the request, however much the client has not been sent yet.
    if (removed.includes("*")) subscription.dropUncovered(snapshot);
    else for (const name of removed) subscription.dropIfUncovered(name, snapshot);
    if (isAll) subscription.requestAll(snapshot);
    for (const name of added) {
      if (name === "*") continue;
      subscription.add(name);
      subscription.request(name);
    }
    if (!isFirst) return;
    const had = Object.keys(initialResourceVersions);
    if (had.length > 0) subscription.keepHad(had);
    for (const [name, version] of Object.entries(initialResourceVersions)) {
      if (!subscription.covers(name)) continue;
      subscription.resumed.set(name, version);
      if (!subscription.pending.has(name)) subscription.pending.set(name, { previous: undefined, isRequested: false });
    }
  },

  next(subscription, snapshot, hold, maxBytes) {
    const { pending, resumed, typeUrl, mustAnswer } = subscription;
    const resources: Resource[] = [];
    const removed: string[] = [];
    const changed = new Map<Resource, Resource | undefined>();
    let bytes = 0;
    for (const [name, { previous, isRequested }] of pending) {
      if (bytes >= maxBytes) break;
      const current = snapshot.get(typeUrl, name);
      if (!current) {
        if (snapshot.isPending(typeUrl, name)) {
          subscription.await(name);
          continue;
        }
        if (hold.resumed && resumed.has(name)) continue;
        if (hold.removals && (!isRequested || resumed.has(name))) continue;
        removed.push(name);
        bytes += name.length;
      } else {
        if (hold.upserts && !isRequested && !mustAnswer) continue;
        if (resumed.get(name) !== current.version) {
          resources.push(current);
          changed.set(current, previous);
          bytes += current.deltaField.length;
        }
      }
      resumed.delete(name);
      pending.delete(name);
    }
    const isEmpty = resources.length === 0 && removed.length === 0;
    if (isEmpty && (!mustAnswer || subscription.awaited.size > 0)) return undefined;
    subscription.mustAnswer = false;
    return { resources, removed, changed } satisfies Draft;
  },

  encode({ resources, removed }, { typeUrl, nonce, version, identifier }) {
    const head = DeltaDiscoveryResponse.fromPartial({
      systemVersionInfo: version,
      typeUrl,
      nonce,
      removedResources: [...removed],
      ...(identifier !== "" && { controlPlane: { identifier } }),
    });
    return Buffer.concat([DeltaDiscoveryResponse.encode(head).finish(), ...resources.map((one) => one.deltaField)]);
  },
};
