import { addressOf, type FleetServer, type ServerKind } from "./fleet.ts";
import type { Measured } from "./load/measured.ts";

/** What a policy made of the load. Shares are of all calls, from 0 to 1. */
export interface Row {
  readonly policy: string;
  readonly calls: number;
  /** Of the servers of a kind together. */
  readonly shares: Readonly<Record<ServerKind, number>>;
  /** Of the one server that got most. */
  readonly busiest: number;
  /** Calls that did not succeed, too late ones among them. */
  readonly errors: number;
  readonly perServer: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** Of the calls that succeeded; null when none did. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly lagP99Ms: number | null;
}

/** Says of a measurement what is worth comparing. */
export function createRow(policy: string, measured: Measured, servers: readonly FleetServer[]): Row {
  const { calls, perPeer, statuses, p50Ms, p99Ms, lagP99Ms } = measured;
  const countOf = (server: FleetServer) => perPeer[addressOf(server)] ?? 0;
  const shareOf = (count: number) => (calls === 0 ? 0 : count / calls);
  const shares = { good: 0, slow: 0, failing: 0, frozen: 0 };
  for (const server of servers) shares[server.kind] += shareOf(countOf(server));
  return {
    policy,
    calls,
    shares,
    busiest: shareOf(Math.max(0, ...servers.map(countOf))),
    errors: shareOf(calls - (statuses.OK ?? 0)),
    perServer: Object.fromEntries(servers.map((server) => [server.podName, countOf(server)])),
    statuses,
    p50Ms,
    p99Ms,
    lagP99Ms,
  };
}
