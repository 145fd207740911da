import type { Resource, SnapshotView } from "../cache/index.ts";
import { typeUrls } from "../type-urls.ts";
import type { Protocol } from "./protocol.ts";
import type { Hold, Subscription } from "./subscription.ts";

/** Nothing has to wait. */
export const holdNothing: Hold = { upserts: false, removals: false, resumed: false };

const first = [typeUrls.cluster, typeUrls.endpoints] as readonly string[];
const last = [typeUrls.listener, typeUrls.route] as readonly string[];

/** Where a type stands: clusters, endpoints, others, listeners, routes. */
export function rankOf(typeUrl: string): number {
  if (first.includes(typeUrl)) return first.indexOf(typeUrl);
  return last.includes(typeUrl) ? 3 + last.indexOf(typeUrl) : 2;
}

/**
 * Make before break, on one stream: routes change when the client has the clusters and endpoints that are new, and clusters and
 * endpoints go when it has the routes without them
 * (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations).
 */
export class SendOrder {
  /** The endpoints of new clusters, and those that have come back, until the client has answered to them; and whether they are sent. */
  readonly #warming = new Map<string, { readonly isSent: boolean }>();
  /** The endpoints of clusters that are sent, until the client asks for them. */
  readonly #expected = new Set<string>();
  /** The client may have come back, and not have all that is new, or not have said all that it wants. */
  #isResuming = true;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  readonly #protocol: Protocol<never>["name"];

  constructor(subscriptions: ReadonlyMap<string, Subscription>, protocol: Protocol<never>["name"]) {
    this.#subscriptions = subscriptions;
    this.#protocol = protocol;
  }

  /**
   * Whether the first answer has to wait that a client gets which comes back from another control plane, or from this one before it
   * started again. Its routes change when it has the clusters that are new, and it loses clusters when it has the routes without them.
   * By the state of the world it loses what the answer does not have: where clusters both come and go, those that come are first.
   */
  isWaiting(subscription: Subscription, snapshot: SnapshotView): boolean {
    if (!this.#isResuming || !subscription.had || subscription.lastNonce !== "") return false;
    const cluster = this.#subscriptions.get(typeUrls.cluster);
    if (subscription === cluster) return this.#protocol === "sotw" && this.#losesInUse(cluster, snapshot);
    // A client that names its clusters takes care of the order itself.
    if (!last.includes(subscription.typeUrl) || !cluster?.had || !cluster.isWildcard) return false;
    if (this.#warming.size > 0 || isBusy(cluster)) return true;
    return cluster.lastNonce === "" && (this.#protocol === "delta" || this.#comeAndGo(snapshot).come);
  }

  /** Whether an answer with all clusters would take some away that the routes of the client may still name. */
  #losesInUse(cluster: Subscription, snapshot: SnapshotView): boolean {
    if (!cluster.isWildcard) {
      const isGone = (name: string) => snapshot.get(typeUrls.cluster, name) === undefined;
      const names = [...cluster.names];
      return names.some(isGone) && names.every((name) => cluster.had?.has(name));
    }
    if (!last.some((one) => this.#subscriptions.has(one))) return true; // it has not said yet what it has
    const { come, go } = this.#comeAndGo(snapshot);
    const route = this.#subscriptions.get(typeUrls.route);
    return go && !come && (!route || route.lastNonce === "" || isUnfinished(route));
  }

  /** Which clusters a client of all clusters has is told by the endpoints that it asks for. */
  #comeAndGo(snapshot: SnapshotView): { readonly come: boolean; readonly go: boolean } {
    const had = this.#subscriptions.get(typeUrls.endpoints)?.had ?? new Set<string>();
    const has = new Set<string>();
    for (const { references } of snapshot.all(typeUrls.cluster).values()) {
      for (const { typeUrl, name } of references) if (typeUrl === typeUrls.endpoints) has.add(name);
    }
    return { come: [...has].some((name) => !had.has(name)), go: [...had].some((name) => !has.has(name)) };
  }

  /** What of a type has to wait now. */
  holdOf({ typeUrl }: Subscription): Hold {
    const cluster = this.#subscriptions.get(typeUrls.cluster);
    if (last.includes(typeUrl)) {
      const isEarly = this.#warming.size > 0 || isBusy(cluster);
      return { ...holdNothing, upserts: isEarly, removals: isEarly };
    }
    if (!first.includes(typeUrl)) return holdNothing;
    const isSwitching = last.some((one) => isUnfinished(this.#subscriptions.get(one)));
    if (typeUrl === typeUrls.endpoints) return { ...holdNothing, removals: isSwitching || isUnfinished(cluster) };
    const isResuming = this.#isResuming && !last.some((one) => this.#subscriptions.has(one));
    return { ...holdNothing, removals: isSwitching, resumed: isResuming };
  }

  /** After a response with clusters: their endpoints come next, also if the client has them, because Envoy waits for them. */
  onClustersSent(changed: ReadonlyMap<Resource, Resource | undefined>, isFirst: boolean): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoints);
    for (const [cluster, previous] of changed) {
      for (const { typeUrl, name } of cluster.references) {
        if (typeUrl !== typeUrls.endpoints) continue;
        if (endpoints?.covers(name)) endpoints.request(name);
        else this.#expected.add(name);
        if (!previous && !isFirst) this.#warming.set(name, { isSent: false });
      }
    }
  }

  /** After a request for endpoints: a new cluster needs them also if the client has them from an earlier stream. */
  onEndpointsRequested(endpoints: Subscription): void {
    for (const name of this.#expected) {
      if (!endpoints.covers(name)) continue;
      this.#expected.delete(name);
      endpoints.request(name);
    }
  }

  /** Endpoints that the client wants and does not have have come: it may have the cluster already, or still. */
  onEndpointsCome({ pending, resumed }: Subscription, name: string): void {
    const news = pending.get(name);
    if (news && !news.previous && !resumed.has(name)) this.#warming.set(name, { isSent: false });
  }

  /** A response with endpoints is sent. */
  onEndpointsSent(names: Iterable<string>): void {
    for (const name of names) if (this.#warming.has(name)) this.#warming.set(name, { isSent: true });
  }

  /** The client has answered to endpoints; not to those of a cluster that was sent after them, which it may have ignored. */
  onEndpointsSettled(names: Iterable<string>): void {
    for (const name of names) if (this.#warming.get(name)?.isSent) this.#warming.delete(name);
  }

  /** The endpoints are gone, and with them all clusters that name them. */
  onEndpointsGone(name: string): void {
    this.#warming.delete(name);
    this.#expected.delete(name);
  }

  /** The client takes too long: new clusters no longer hold listeners and routes. */
  waive(): void {
    this.#warming.clear();
    this.#isResuming = false;
  }
}

function isBusy(subscription: Subscription | undefined): boolean {
  return subscription?.outstanding !== undefined;
}

function isUnfinished(subscription: Subscription | undefined): boolean {
  return isBusy(subscription) || (subscription?.pending.size ?? 0) > 0;
}
