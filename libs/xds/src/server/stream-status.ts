import type { SnapshotView } from "../cache/index.ts";
import type { AdsResourceStatus } from "./api.ts";
import type { Subscription } from "./subscription.ts";

/** What a client and the server know of each resource that the client wants. */
export function describeStatus(
  subscriptions: readonly Subscription[],
  snapshot: SnapshotView | undefined,
): AdsResourceStatus[] {
  return subscriptions.flatMap((subscription) => {
    const { typeUrl, isWildcard } = subscription;
    const names = new Set(subscription.names);
    if (isWildcard) for (const name of snapshot?.all(typeUrl).keys() ?? []) names.add(name);
    const sent = new Set(subscription.outstanding?.names);
    return [...names].map((name): AdsResourceStatus => {
      const version = snapshot?.get(typeUrl, name)?.version;
      const rejection = subscription.rejected.get(name);
      const isUnknown = snapshot?.isPending(typeUrl, name) === true;
      if (subscription.pending.has(name) || isUnknown) return { typeUrl, name, version, state: "pending" };
      if (sent.has(name)) return { typeUrl, name, version, state: "sent" };
      if (rejection && rejection.version === version)
        return { typeUrl, name, version, state: "rejected", message: rejection.message };
      return { typeUrl, name, version, state: version === undefined ? "missing" : "acked" };
    });
  });
}
