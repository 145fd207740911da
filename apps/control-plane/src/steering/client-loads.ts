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

/** The time constant of the averages. */
const averageMs = 5_000;

/** The shortest time that a call counts: an endpoint that is never seen with a call in flight is fast, not unknown. */
const leastCallSeconds = 0.001;

interface Average {
  callsPerSecond: number;
  errorsPerSecond: number;
  inProgress: number;
}

const nothing: Average = { callsPerSecond: 0, errorsPerSecond: 0, inProgress: 0 };

/**
 * The load of a service's endpoints, from the reports of all its clients (LRS). How busy an endpoint is are its calls in flight: by
 * Little's law they are its calls per second times the time that one takes. A report has those of one moment, of which there are few or
 * none, so that they are averaged over 5 s, as the calls are.
 */
export class ClientLoads {
  readonly #reports = new Map<string, Report>();
  readonly #averages = new Map<string, Average>();
  #averagedMs = Number.NEGATIVE_INFINITY;

  /**
   * Takes the report of a client; it replaces the one before.
   *
   * @param client the client's node id
   * @param intervalMs the time that the report covers
   */
  report(client: string, intervalMs: number, loads: readonly ClientLoad[], nowMs: number): void {
    if (intervalMs > 0) this.#reports.set(client, { reportedMs: nowMs, intervalMs, loads });
  }

  /**
   * The average load by address, of reports that are not older than `maxAgeMs`; what no report names is forgotten. To be called about
   * as often as clients report.
   */
  read(nowMs: number, maxAgeMs: number): ReadonlyMap<string, EndpointLoad> {
    const sums = this.#sum(nowMs, maxAgeMs);
    const part = 1 - Math.exp(-(nowMs - this.#averagedMs) / averageMs);
    this.#averagedMs = nowMs;
    for (const address of this.#averages.keys()) if (!sums.has(address)) this.#averages.delete(address);
    const loads = new Map<string, EndpointLoad>();
    for (const [address, sum] of sums) {
      const average = this.#averages.get(address) ?? { ...sum };
      average.callsPerSecond += part * (sum.callsPerSecond - average.callsPerSecond);
      average.errorsPerSecond += part * (sum.errorsPerSecond - average.errorsPerSecond);
      average.inProgress += part * (sum.inProgress - average.inProgress);
      this.#averages.set(address, average);
      const { callsPerSecond, errorsPerSecond, inProgress } = average;
      loads.set(address, {
        callsPerSecond,
        errorsPerSecond,
        utilization: inProgress + callsPerSecond * leastCallSeconds,
      });
    }
    return loads;
  }

  #sum(nowMs: number, maxAgeMs: number): ReadonlyMap<string, Average> {
    const sums = new Map<string, Average>();
    for (const [client, { reportedMs, intervalMs, loads }] of this.#reports) {
      if (nowMs - reportedMs >= maxAgeMs) {
        this.#reports.delete(client);
        continue;
      }
      for (const { address, succeeded, failed, inProgress } of loads) {
        const sum = sums.get(address) ?? { ...nothing };
        sum.callsPerSecond += ((succeeded + failed) * 1_000) / intervalMs;
        sum.errorsPerSecond += (failed * 1_000) / intervalMs;
        sum.inProgress += inProgress;
        sums.set(address, sum);
      }
    }
    return sums;
  }
}
