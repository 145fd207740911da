import { addressOf, type FleetServer, type ServerKind } from "./fleet.ts";
import type { Measured } from "./load/protocol.ts";

/** The result of a policy. Shares are of all its calls, from 0 to 1. */
export interface Row {
  readonly policy: string;
  readonly calls: number;
  /** The share of all servers of a kind together. */
  readonly shares: Readonly<Record<ServerKind, number>>;
  /** The share of the server with the most calls. */
  readonly busiest: number;
  /** The share of the calls that failed or exceeded their deadline. */
  readonly errors: number;
  /** Calls by server. */
  readonly perServer: Readonly<Record<string, number>>;
  /** Calls by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Latencies of the successful calls; null when there are none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly lagP99Ms: number | null;
}

/** Computes the shares of a measurement. */
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
