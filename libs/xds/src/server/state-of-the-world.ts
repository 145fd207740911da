import { type DiscoveryRequest, DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import type { Resource, SnapshotView } from "../cache/index.ts";
import { isListed } from "../type-urls.ts";
import type { Draft, Protocol } from "./protocol.ts";
import type { Hold, Subscription } from "./subscription.ts";

/**
 * The state of the world: a response has all listeners or clusters that the client wants, and of other types those that have
 * changed (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#basic-protocol-overview).
 */
export const stateOfTheWorld: Protocol<DiscoveryRequest> = {
  name: "sotw",

  namesOf: ({ resourceNames }) => resourceNames,

  // The answer to the last response will have the names again.
  isStale: ({ lastNonce }, { responseNonce }) => lastNonce !== "" && responseNonce !== lastNonce,

  forget({ forgotten, isWildcard, names, lastNonce }, { resourceNames, responseNonce }) {
    // A nonce that was never sent says nothing of when the request was.
    if (isWildcard || !(Number(responseNonce) < Number(lastNonce))) return;
    const named = new Set(resourceNames);
    for (const name of names) if (!named.has(name)) forgotten.add(name);
  },

  subscribe(subscription, { resourceNames, versionInfo }, isFirst, snapshot) {
    const names = new Set(resourceNames);
    subscription.hasNamed ||= names.size > 0;
    // Listeners and clusters: all, until a request names some.
    const isWildcard = names.delete("*") || (!subscription.hasNamed && isListed(subscription.typeUrl));
    const wasWildcard = subscription.isWildcard;
    subscription.isWildcard = isWildcard;
    for (const name of subscription.names) if (!names.has(name)) subscription.delete(name);
    for (const name of names) {
      if (subscription.names.has(name) && !subscription.forgotten.has(name)) continue;
      subscription.add(name);
      subscription.request(name);
    }
    subscription.forgotten.clear();
    if (isFirst && versionInfo !== "") subscription.keepHad(resourceNames);
    if (isWildcard && !wasWildcard) subscription.requestAll(snapshot);
    subscription.dropUncovered(snapshot);
  },

  next(subscription, snapshot, hold, maxBytes) {
    return isListed(subscription.typeUrl)
      ? nextWhole(subscription, snapshot, hold)
      : nextPart(subscription, snapshot, hold, maxBytes);
  },

  encode({ resources }, { typeUrl, nonce, version, identifier }) {
    const head = DiscoveryResponse.fromPartial({
      versionInfo: version,
      typeUrl,
      nonce,
      ...(identifier !== "" && { controlPlane: { identifier } }),
    });
    return Buffer.concat([DiscoveryResponse.encode(head).finish(), ...resources.map((one) => one.stateField)]);
  },
};

/** Everything that the client wants; what is not in it does not exist. A change or a removal that has to wait is in it as it was before. */
function nextWhole(subscription: Subscription, snapshot: SnapshotView, hold: Hold): Draft | undefined {
  const { pending, typeUrl } = subscription;
  const changed = new Map<Resource, Resource | undefined>();
  const held = new Map<string, Resource | undefined>();
  let isDue = subscription.mustAnswer;
  for (const [name, { previous, isRequested }] of pending) {
    const current = snapshot.get(typeUrl, name);
    const isHeld = current ? hold.upserts && !subscription.mustAnswer : hold.removals && previous !== undefined;
    if (isHeld && !isRequested) {
      held.set(name, previous);
      continue;
    }
    isDue = true;
    if (current) changed.set(current, previous);
  }
  if (!isDue) return undefined;
  for (const name of pending.keys()) if (!held.has(name)) pending.delete(name);
  subscription.mustAnswer = false;
  const all = snapshot.all(typeUrl);
  const wanted = subscription.isWildcard
    ? [...all.values()]
    : [...subscription.names].flatMap((name) => all.get(name) ?? []);
  const current = wanted.filter(({ name }) => !held.has(name));
  const before = [...held.values()].filter((each) => each !== undefined);
  return { resources: [...current, ...before], removed: [], changed, isWhole: true };
}

/** What has changed. That a resource is gone cannot be said: a client forgets it with the resource that names it. */
function nextPart(subscription: Subscription, snapshot: SnapshotView, hold: Hold, maxBytes: number): Draft | undefined {
  const { pending, typeUrl } = subscription;
  const changed = new Map<Resource, Resource | undefined>();
  let bytes = 0;
  for (const [name, { previous, isRequested }] of pending) {
    if (bytes >= maxBytes) break;
    const current = snapshot.get(typeUrl, name);
    if (current && hold.upserts && !isRequested && !subscription.mustAnswer) continue;
    pending.delete(name);
    if (!current) continue;
    changed.set(current, previous);
    bytes += current.stateField.length;
  }
  if (changed.size === 0) return undefined;
  subscription.mustAnswer = false;
  return { resources: [...changed.keys()], removed: [], changed };
}
