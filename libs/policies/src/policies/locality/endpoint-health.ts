import { connectivityState, endpointToString, type GrpcEndpoint } from "../../grpc-js.ts";
import type { WatchedSubchannel } from "./watched-subchannel.ts";

const { READY, TRANSIENT_FAILURE } = connectivityState;

interface Member {
  /** The subchannels in use to its addresses. */
  readonly held: Set<WatchedSubchannel>;
  /** The addresses with a failed connection attempt since the endpoint was last READY. */
  readonly failed: Set<string>;
  /** Since when it has been connecting. */
  waitingSinceMs: number | undefined;
}

/**
 * How many endpoints of a group can take calls. An endpoint is healthy until the opposite is known. So neither a start nor a
 * connection that is reopened because the server closed it (`max_connection_age`) looks like an outage, and a child policy that
 * connects to a few endpoints only, such as pick_first, does not look unable to reach the others. An endpoint is unhealthy when
 *
 * - it is connected, but ejected by an outlier_detection above;
 * - none of its addresses could be connected to, until one is;
 * - it has been connecting for `connectTimeoutMs`: grpc-js itself waits as long as the kernel does
 *   (https://github.com/grpc/grpc-node/issues/2785).
 */
export class EndpointHealth {
  #members = new Map<string, Member>();
  #byAddress = new Map<string, Member>();
  readonly #holders = new Map<WatchedSubchannel, Member>();

  /** @param endpoints by id */
  update(endpoints: ReadonlyMap<string, GrpcEndpoint>): void {
    const had = this.#members;
    this.#members = new Map();
    this.#byAddress = new Map();
    for (const [id, { addresses }] of endpoints) {
      const member = had.get(id) ?? { held: new Set(), failed: new Set(), waitingSinceMs: undefined };
      this.#members.set(id, member);
      for (const address of addresses) this.#byAddress.set(addressKey(address), member);
    }
  }

  hold(subchannel: WatchedSubchannel, nowMs: number): void {
    const member = this.#byAddress.get(subchannel.address);
    if (!member) return;
    member.held.add(subchannel);
    this.#holders.set(subchannel, member);
    this.noteState(subchannel, subchannel.getConnectivityState(), nowMs);
  }

  noteState(subchannel: WatchedSubchannel, state: connectivityState, nowMs: number): void {
    const member = this.#holders.get(subchannel);
    if (!member) return;
    if (state === READY) {
      member.failed.clear();
      member.waitingSinceMs = undefined;
      return;
    }
    if (state === TRANSIENT_FAILURE) member.failed.add(subchannel.address);
    member.waitingSinceMs ??= nowMs;
  }

  release(subchannel: WatchedSubchannel): void {
    this.#holders.get(subchannel)?.held.delete(subchannel);
    this.#holders.delete(subchannel);
  }

  /** The share of healthy endpoints, from 0 to 1; 1 when there are none. */
  share(nowMs: number, connectTimeoutMs: number): number {
    if (this.#members.size === 0) return 1;
    let healthy = 0;
    for (const member of this.#members.values()) {
      if (member.held.size === 0) member.waitingSinceMs = undefined; // no longer in use
      if (isHealthy(member, nowMs, connectTimeoutMs)) healthy += 1;
    }
    return healthy / this.#members.size;
  }

  /** When the share may drop just because time passes, on the same clock; undefined for never. */
  nextChangeMs(nowMs: number, connectTimeoutMs: number): number | undefined {
    let next: number | undefined;
    for (const { waitingSinceMs } of this.#members.values()) {
      if (waitingSinceMs === undefined) continue;
      const dueMs = waitingSinceMs + connectTimeoutMs;
      if (dueMs > nowMs && (next === undefined || dueMs < next)) next = dueMs;
    }
    return next;
  }
}

function isHealthy({ held, failed, waitingSinceMs }: Member, nowMs: number, connectTimeoutMs: number): boolean {
  let isConnected = false;
  let hasFailed = held.size > 0;
  for (const subchannel of held) {
    if (subchannel.canTakeCalls) return true;
    if (subchannel.isReady) isConnected = true;
    if (!failed.has(subchannel.address)) hasFailed = false;
  }
  if (isConnected || hasFailed) return false;
  return waitingSinceMs === undefined || nowMs - waitingSinceMs < connectTimeoutMs;
}

/** Formats an address as a key. */
export const addressKey = (address: GrpcEndpoint["addresses"][number]): string =>
  endpointToString({ addresses: [address] });
