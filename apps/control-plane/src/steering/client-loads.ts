import type { EndpointLoad } from "./weight-steering.ts";

/** What one client has seen of one endpoint since its last report. */
export interface ClientLoad {
  /** `10.0.0.7:8080`. */
  readonly address: string;
  readonly succeeded: number;
  readonly failed: number;
  /** Calls in flight at the moment of the report. */
  readonly inProgress: number;
}

interface Report {
  readonly reportedMs: number;
  readonly intervalMs: number;
  readonly loads: readonly ClientLoad[];
}

/**
 * The load of a service's endpoints, from the reports of all its clients (LRS). How busy an endpoint is are its calls in flight: by
 * Little's law they are its calls per second times the time that one takes.
 */
export class ClientLoads {
  readonly #reports = new Map<string, Report>();

  /**
   * Takes the report of a client; it replaces the one before.
   *
   * @param client the client's node id
   * @param intervalMs the time that the report covers
   */
  report(client: string, intervalMs: number, loads: readonly ClientLoad[], nowMs: number): void {
    if (intervalMs > 0) this.#reports.set(client, { reportedMs: nowMs, intervalMs, loads });
  }

  /** The load by address, of all reports that are not older than `maxAgeMs`; older ones are forgotten. */
  read(nowMs: number, maxAgeMs: number): ReadonlyMap<string, EndpointLoad> {
    const sums = new Map<string, { callsPerSecond: number; errorsPerSecond: number; utilization: number }>();
    for (const [client, { reportedMs, intervalMs, loads }] of this.#reports) {
      if (nowMs - reportedMs >= maxAgeMs) this.#reports.delete(client);
      else {
        for (const { address, succeeded, failed, inProgress } of loads) {
          const sum = sums.get(address) ?? { callsPerSecond: 0, errorsPerSecond: 0, utilization: 0 };
          sum.callsPerSecond += ((succeeded + failed) * 1_000) / intervalMs;
          sum.errorsPerSecond += (failed * 1_000) / intervalMs;
          sum.utilization += inProgress;
          sums.set(address, sum);
        }
      }
    }
    return sums;
  }
}
