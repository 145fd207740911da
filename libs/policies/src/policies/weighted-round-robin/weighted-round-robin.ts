import { type Child, isSameConnection } from "../../balancer/child.ts";
import type { PickerInput, Policy, PolicyContext, PolicyInstance } from "../../balancer/policy.ts";
import type { Subchannel } from "../../grpc-js.ts";
import {
  configuredWeight,
  currentWeights,
  parseWeightConfig,
  type WeightConfig,
  warmth,
  weightRefreshMs,
} from "../weights/weights.ts";
import { EdfScheduler } from "./edf-scheduler.ts";
import { readReport, watchReports } from "./load-reports.ts";
import { fillWeights, LoadWeight, type LoadWeightConfig } from "./load-weight.ts";

export interface WeightedRoundRobinConfig extends WeightConfig, LoadWeightConfig {
  /** `orca`: the servers' load reports. `static`: only discovery and configuration. Default: `orca`. */
  readonly source: "orca" | "static";
  /** Whether reports come in separate streams instead of with each call. Default: false. */
  readonly enableOobLoadReport: boolean;
  /** How often they come in such a stream, in milliseconds. Default: 10 s. */
  readonly oobReportingPeriodMs: number;
  /** How often weights are recomputed, in milliseconds. Default: 1 s. Raised to 100 ms if less (gRFC A58). */
  readonly weightUpdatePeriodMs: number;
}

class Reports {
  readonly weight = new LoadWeight();
  stream: Stream | undefined;
}

/** A stream of out-of-band reports; also one that the server has refused. */
interface Stream {
  readonly subchannel: Subchannel;
  readonly periodMs: number;
  readonly end: AbortController;
}

/**
 * `weighted_round_robin`: takes endpoints in turn, evenly spaced by weight. The weight comes from the load that the endpoint
 * reports (gRFC A58). An endpoint that does not report gets the mean weight; grpc-js's own policy of this name starves it.
 * While fewer than two endpoints report, and with `source: "static"`, weights come from discovery or the configuration.
 */
export const weightedRoundRobin: Policy<WeightedRoundRobinConfig, Reports> = {
  name: "weighted_round_robin",
  parseConfig: (fields) => ({
    source: fields.choice("source", ["orca", "static"] as const, "orca"),
    enableOobLoadReport: fields.flag("enableOobLoadReport", false),
    oobReportingPeriodMs: fields.duration("oobReportingPeriod", 10_000, { min: 1 }),
    blackoutPeriodMs: fields.duration("blackoutPeriod", 10_000),
    weightExpirationPeriodMs: fields.duration("weightExpirationPeriod", 180_000, { min: 1 }),
    weightUpdatePeriodMs: Math.max(100, fields.duration("weightUpdatePeriod", 1_000)),
    errorUtilizationPenalty: fields.number("errorUtilizationPenalty", 1, { min: 0 }),
    ...parseWeightConfig(fields),
  }),
  createInstance: (context) => new WeightedRoundRobin(context),
};

class WeightedRoundRobin implements PolicyInstance<WeightedRoundRobinConfig, Reports> {
  readonly #context: PolicyContext;
  #config: WeightedRoundRobinConfig | undefined;

  constructor(context: PolicyContext) {
    this.#context = context;
  }

  createEndpointState(): Reports {
    return new Reports();
  }

  createPicker({ ready, config, nowMs }: PickerInput<WeightedRoundRobinConfig, Reports>): () => Child<Reports> {
    this.#config = config;
    // An ejected endpoint, which takes calls only below the panic threshold, has no stream: no event would end it.
    for (const child of ready) if (child.isReady) this.#watch(child, config);
    const scheduler = new EdfScheduler(this.#weights(ready, config, nowMs), this.#context.random);
    return () => ready[scheduler.next()] as Child<Reports>;
  }

  refreshMs({ ready, config, nowMs }: PickerInput<WeightedRoundRobinConfig, Reports>): number | undefined {
    const warming = weightRefreshMs(ready, config, nowMs);
    if (config.source === "static") return warming;
    return Math.min(config.weightUpdatePeriodMs, warming ?? Number.POSITIVE_INFINITY);
  }

  onCallEnded({ endpointState }: Child<Reports>, { metadata }: { metadata: Parameters<typeof readReport>[0] }): void {
    if (this.#config?.source !== "orca" || this.#config.enableOobLoadReport) return;
    const report = readReport(metadata);
    if (report) endpointState.weight.report(report, this.#config, this.#context.clock.now());
  }

  onConnected(child: Child<Reports>, config: WeightedRoundRobinConfig): void {
    child.endpointState.weight.reset();
    this.#watch(child, config);
  }

  onDisconnected({ endpointState }: Child<Reports>): void {
    endpointState.stream?.end.abort();
    endpointState.stream = undefined;
  }

  #weights(ready: readonly Child<Reports>[], config: WeightedRoundRobinConfig, nowMs: number): Float64Array {
    const reported =
      config.source === "orca"
        ? fillWeights(ready.map(({ endpointState }) => endpointState.weight.at(nowMs, config)))
        : undefined;
    if (!reported) return currentWeights(ready, config, nowMs);
    const { slowStart } = config;
    const weights = reported.map((weight, i) => {
      const child = ready[i] as Child<Reports>;
      if (configuredWeight(child, config) === 0) return 0; // not an estimate: the configuration wants no calls there
      return slowStart ? weight * warmth(nowMs - (child.readyAtMs ?? Number.NEGATIVE_INFINITY), slowStart) : weight;
    });
    return weights.some((weight) => weight > 0) ? weights : currentWeights(ready, config, nowMs);
  }

  /** Starts or ends the endpoint's stream of reports as the configuration requires. */
  #watch(child: Child<Reports>, config: WeightedRoundRobinConfig): void {
    const { endpointState, connected } = child;
    const isWanted = config.source === "orca" && config.enableOobLoadReport && connected !== undefined;
    const { oobReportingPeriodMs: periodMs } = config;
    const { stream } = endpointState;
    if (isWanted && stream?.periodMs === periodMs && isSameConnection(stream.subchannel, connected)) return;
    stream?.end.abort();
    endpointState.stream = undefined;
    if (!isWanted) return;
    const end = new AbortController();
    endpointState.stream = { subchannel: connected, periodMs, end };
    const { clock, random } = this.#context;
    const onReport = (report: Parameters<LoadWeight["report"]>[0]) =>
      endpointState.weight.report(report, this.#config ?? config, clock.now());
    void watchReports({ subchannel: connected, periodMs, clock, random, onReport }, end.signal);
  }
}
