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

/** The load of an endpoint, and when a client last reported it. */
export interface ReportedLoad {
  readonly load: EndpointLoad;
  readonly reportedMs: number;
}

/** The time constants of the averages: the longest while few calls are seen in flight, the shortest while many are. */
const longestMs = 60_000;
const shortestMs = 5_000;

/** When the average endpoint was seen with that many calls in flight, older reports are forgotten faster. */
const enoughSeen = 400;

/**
 * An endpoint counts as if it had been seen with that many calls in flight beyond its own, that took as long as the mean: what was seen
 * of few calls is chance. It keeps the factors of equal endpoints within 25 % of each other's mean, whatever the load is.
 */
const priorSeen = 25;

/** A failed call counts as that many calls of mean length, so that an endpoint that fails fast does not attract calls. */
const failedCallCost = 10;

/** Greater numbers are no report of a client, and would outlast all others. */
const maxCallsPerSecond = 1e6;
const maxIntervalMs = 60_000;

/** Decayed sums over the reports of all clients. */
interface Sums {
  calls: number;
  failed: number;
  /** The sum of the calls in flight that reports had: how much is known. */
  seen: number;
  /** The same, each times the seconds that its report covers: how busy the endpoint was. */
  busySeconds: number;
}

const nothing: Sums = { calls: 0, failed: 0, seen: 0, busySeconds: 0 };

/**
 * The load of a service's endpoints, from the reports of all its clients (LRS), whoever they are: each covers the time since the one
 * before on its stream, so that they add up.
 *
 * An endpoint is as busy as it has calls in flight: by Little's law that is its calls per second times the time that one takes. A report
 * has those of one moment, mostly few or none, so that they are summed up over 5 to 60 s, and drawn to the mean by what is not known.
 */
export class ClientLoads {
  readonly #sums = new Map<string, Sums & { reportedMs: number | undefined }>();
  #readMs: number | undefined;

  /**
   * Takes the report of a client about the endpoints that are watched.
   *
   * @param intervalMs the time that the report covers
   */
  report(intervalMs: number, loads: readonly ClientLoad[], nowMs: number): void {
    if (!(intervalMs > 0 && intervalMs <= maxIntervalMs)) return;
    const seconds = intervalMs / 1_000;
    const max = maxCallsPerSecond * seconds;
    for (const { address, succeeded, failed, inProgress } of loads) {
      const sums = this.#sums.get(address);
      if (!sums || !(succeeded + failed <= max && inProgress <= maxCallsPerSecond)) continue;
      sums.calls += succeeded + failed;
      sums.failed += failed;
      sums.seen += inProgress;
      sums.busySeconds += inProgress * seconds;
      sums.reportedMs = nowMs;
    }
  }

  /**
   * The average load by address, of those that a client has reported. From then on, reports count for these addresses alone.
   *
   * @param nowMs must not go backwards
   */
  read(addresses: Iterable<string>, nowMs: number): ReadonlyMap<string, ReportedLoad> {
    const watched = new Set(addresses);
    for (const address of this.#sums.keys()) if (!watched.has(address)) this.#sums.delete(address);
    for (const address of watched) {
      if (!this.#sums.has(address)) this.#sums.set(address, { ...nothing, reportedMs: undefined });
    }
    this.#forget(nowMs - (this.#readMs ?? nowMs));
    this.#readMs = nowMs;
    const total = this.#total();
    const loads = new Map<string, ReportedLoad>();
    if (total.calls === 0) return loads;
    const meanSeconds = total.busySeconds / total.calls;
    // A call that is seen in many reports is still one.
    const priorSeconds = total.seen === 0 ? 0 : (priorSeen * total.busySeconds) / Math.min(total.seen, total.calls);
    for (const [address, { calls, failed, busySeconds, reportedMs }] of this.#sums) {
      if (reportedMs === undefined || calls === 0) continue;
      const cost = busySeconds + failedCallCost * failed * meanSeconds + priorSeconds;
      const length = priorSeconds === 0 ? 1 : cost / (calls * meanSeconds + priorSeconds);
      const load = { callsPerSecond: calls, errorsPerSecond: 0, utilization: calls * length };
      loads.set(address, { load, reportedMs });
    }
    return loads;
  }

  #forget(elapsedMs: number): void {
    const enough = (enoughSeen * this.#sums.size) / this.#total().seen;
    const kept = Math.max(Math.exp(-elapsedMs / shortestMs), Math.min(Math.exp(-elapsedMs / longestMs), enough));
    for (const sums of this.#sums.values()) {
      sums.calls *= kept;
      sums.failed *= kept;
      sums.seen *= kept;
      sums.busySeconds *= kept;
    }
  }

  #total(): Sums {
    const total = { ...nothing };
    for (const { calls, failed, seen, busySeconds } of this.#sums.values()) {
      total.calls += calls;
      total.failed += failed;
      total.seen += seen;
      total.busySeconds += busySeconds;
    }
    return total;
  }
}
