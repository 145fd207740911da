import type { Clock, Random } from "@grpc-lb/core";
import { type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { Config, Steering } from "../config/config.ts";
import { type ClientLoad, ClientLoads } from "./client-loads.ts";
import { OrcaReports } from "./orca-reports.ts";
import type { OrcaChannel } from "./orca-stream.ts";
import { type EndpointLoad, WeightSteering } from "./weight-steering.ts";

/** What a steerer is made with. */
export interface SteererOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How to read the reports of endpoints. Default: in clear. */
  readonly orca?: OrcaChannel | undefined;
  /** The endpoints that a service has now. */
  endpointsOf(service: string): readonly Endpoint[];
  /** Called with the factors of a service's endpoints, by id, when one has changed by 10 % or more. */
  onFactors(service: string, factors: ReadonlyMap<string, number>): void;
  /** Called with one line when endpoints of a service begin to fail to report, and when another reason is the first. */
  onProblem(message: string): void;
}

/** A report counts for that many intervals. */
const staleIntervals = 5;

/** Clients get new weights when one has changed by that part: less is not worth an update. */
const minChange = 0.1;

interface Steered {
  readonly steering: Steering;
  readonly loads: ClientLoads;
  readonly weights: WeightSteering;
  end(): Promise<void>;
}

/** Steers the services of a configuration by load reports: of their endpoints (ORCA), or of their clients (LRS). */
export class Steerer {
  readonly #options: SteererOptions;
  readonly #steered = new Map<string, Steered>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: SteererOptions) {
    this.#options = options;
  }

  /** Steers these services and no others; those whose steering did not change keep their factors. */
  setConfig({ services }: Config): void {
    const wanted = new Map<string, Steering>();
    for (const { name, backend } of services.values()) {
      if (backend.t === "backend" && backend.steering.by !== "off") wanted.set(name, backend.steering);
    }
    for (const [name, { steering, end }] of this.#steered) {
      const next = wanted.get(name);
      if (next && JSON.stringify(next) === JSON.stringify(steering)) continue;
      this.#steered.delete(name);
      const ended: Promise<void> = end().finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
      this.#options.onFactors(name, new Map());
    }
    for (const [name, steering] of wanted) {
      if (!this.#steered.has(name)) this.#steered.set(name, this.#start(name, steering));
    }
  }

  /** Takes the report of a client; ignored for a service that is not steered by those. */
  report(service: string, intervalMs: number, loads: readonly ClientLoad[]): void {
    const steered = this.#steered.get(service);
    if (steered?.steering.by === "lrs") steered.loads.report(intervalMs, loads, this.#options.clock.now());
  }

  /** How often clients should report, in milliseconds: the shortest interval that is configured; undefined while they need not. */
  reportIntervalMs(): number | undefined {
    const steerings = [...this.#steered.values()].flatMap(({ steering }) => (steering.by === "lrs" ? steering : []));
    return steerings.length === 0 ? undefined : Math.min(...steerings.map(({ intervalMs }) => intervalMs));
  }

  /** How many endpoints of each steered service have a report that counts. */
  status(): readonly { readonly service: string; readonly reporting: number }[] {
    const now = this.#options.clock.now();
    return [...this.#steered].map(([service, { weights }]) => ({ service, reporting: weights.reporting(now) }));
  }

  /** Resolves when no connection is left; after that, `onFactors` is not called. */
  async close(): Promise<void> {
    const ending = [...this.#steered.values()].map(({ end }) => end());
    this.#steered.clear();
    await Promise.all([...ending, ...this.#ending]);
  }

  #start(name: string, steering: Steering): Steered {
    const ending = new AbortController();
    const { minFactor, maxFactor, intervalMs } = steering;
    const loads = new ClientLoads();
    const weights = new WeightSteering({ minFactor, maxFactor, staleMs: staleIntervals * intervalMs });
    const ended = this.#run(name, { steering, loads, weights }, ending.signal);
    const end = () => {
      ending.abort();
      return ended;
    };
    return { steering, loads, weights, end };
  }

  async #run(name: string, { steering, loads, weights }: Omit<Steered, "end">, signal: AbortSignal): Promise<void> {
    const { clock, random, endpointsOf, onFactors, onProblem } = this.#options;
    const { intervalMs } = steering;
    const onReport = (id: string, load: EndpointLoad) => weights.report(id, load, clock.now());
    const orca =
      steering.by === "orca"
        ? new OrcaReports({ ...this.#options.orca, intervalMs, clock, random, onReport })
        : undefined;
    let published: ReadonlyMap<string, number> = new Map();
    let reason: string | undefined;
    while (!signal.aborted) {
      const endpoints = endpointsOf(name);
      orca?.update(endpoints);
      const now = clock.now();
      if (!orca) reportLoads(weights, loads.read(addressesOf(endpoints), now), endpoints);
      const factors = weights.update(
        endpoints.map(({ id }) => id),
        now,
      );
      if (isNews(published, factors)) {
        published = factors;
        onFactors(name, factors);
      }
      const problem = orca?.problem;
      if (problem && problem.reason !== reason) {
        onProblem(`${name}: ${problem.count} of ${endpoints.length} endpoints report no load: ${problem.reason}`);
      }
      reason = problem?.reason;
      await clock.sleep(intervalMs, signal, { background: true });
    }
    await orca?.close();
  }
}

function reportLoads(
  weights: WeightSteering,
  loads: ReturnType<ClientLoads["read"]>,
  endpoints: readonly Endpoint[],
): void {
  for (const { id, addresses } of endpoints) {
    for (const address of addresses) {
      const reported = loads.get(formatAddress(address));
      if (reported) weights.report(id, reported.load, reported.reportedMs);
    }
  }
}

const addressesOf = (endpoints: readonly Endpoint[]) =>
  endpoints.flatMap(({ addresses }) => addresses.map(formatAddress));

function isNews(published: ReadonlyMap<string, number>, factors: ReadonlyMap<string, number>): boolean {
  for (const [id, factor] of factors) if (Math.abs(factor / (published.get(id) ?? 1) - 1) >= minChange) return true;
  return false;
}
