import type { Child } from "../../balancer/child.ts";
import type { PickerInput, Policy, PolicyContext, PolicyInstance } from "../../balancer/policy.ts";
import type { Subchannel } from "../../grpc-js.ts";
import {
  givenWeight,
  parseWeightConfig,
  type WeightConfig,
  warmth,
  weightRefreshMs,
  weightsNow,
} from "../weights/weights.ts";
import { EdfScheduler } from "./edf-scheduler.ts";
import { readReport, watchReports } from "./load-reports.ts";
import { fillWeights, LoadWeight, type LoadWeightConfig } from "./load-weight.ts";

export interface WeightedRoundRobinConfig extends WeightConfig, LoadWeightConfig {
  /** Whether weights come from the servers' load reports, or only from discovery and configuration. Default: `orca`. */
  readonly source: "orca" | "static";
  /** Whether reports come in streams of their own, and not with each call. Default: no. */
  readonly enableOobLoadReport: boolean;
  /** How often, in milliseconds. Default: 10 s. */
  readonly oobReportingPeriodMs: number;
  /** How often weights are computed anew, in milliseconds. Default: 1 s; less than 100 ms counts as that (gRFC A58). */
  readonly weightUpdatePeriodMs: number;
}

/** What is remembered of an endpoint. */
class Reports {
  readonly weight = new LoadWeight();
  stream: Stream | undefined;
}

/** Reports that come of their own; also of a server that has refused to send any. */
interface Stream {
  readonly subchannel: Subchannel;
  readonly periodMs: number;
  readonly end: AbortController;
}

/**
 * `weighted_round_robin`: each endpoint in turn, as evenly spaced as its weight allows. The weight is what the endpoint reports
 * of its load (gRFC A58), with the mean for those that do not report, which grpc-js's own policy starves; while fewer than two
 * report, and with `source: "static"`, it is the one from discovery or configuration.
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
    // One that is ejected, and takes calls in a panic only, has no stream: nobody would tell of its end.
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
    if (!reported) return weightsNow(ready, config, nowMs);
    const { slowStart } = config;
    const weights = reported.map((weight, i) => {
      const child = ready[i] as Child<Reports>;
      if (givenWeight(child, config) === 0) return 0; // that is no estimate: somebody wants no calls there
      return slowStart ? weight * warmth(nowMs - (child.readyAtMs ?? Number.NEGATIVE_INFINITY), slowStart) : weight;
    });
    return weights.some((weight) => weight > 0) ? weights : weightsNow(ready, config, nowMs);
  }

  /** Has the endpoint report in a stream, or no more, as the configuration says. */
  #watch(child: Child<Reports>, config: WeightedRoundRobinConfig): void {
    const { endpointState, connected } = child;
    const isWanted = config.source === "orca" && config.enableOobLoadReport && connected !== undefined;
    const { oobReportingPeriodMs: periodMs } = config;
    if (isWanted && endpointState.stream?.subchannel === connected && endpointState.stream.periodMs === periodMs)
      return;
    endpointState.stream?.end.abort();
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
