import type { Child } from "./child.ts";
import { fillWeights, LoadWeight, type LoadWeightConfig } from "./orca/load-weight.ts";
import { readReport, watchReports } from "./orca/reports.ts";
import type { Chooser, Policy, PolicyContext, View } from "./policy.ts";
import { EdfScheduler } from "./weighted/edf-scheduler.ts";
import { parseWeightConfig, type WeightConfig, warmth, weightRefreshMs, weightsNow } from "./weighted/weights.ts";

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
  /** Ends the stream of reports, where there is one. */
  stream: AbortController | undefined;
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
  createChooser: (context) => new WeightedRoundRobin(context),
};

class WeightedRoundRobin implements Chooser<WeightedRoundRobinConfig, Reports> {
  readonly #context: PolicyContext;
  #config: WeightedRoundRobinConfig | undefined;

  constructor(context: PolicyContext) {
    this.#context = context;
  }

  createLoad(): Reports {
    return new Reports();
  }

  prepare({ usable, config, nowMs }: View<WeightedRoundRobinConfig, Reports>): () => Child<Reports> {
    const before = this.#config;
    this.#config = config;
    if (before !== config) for (const child of usable) this.#watch(child, config);
    const scheduler = new EdfScheduler(this.#weights(usable, config, nowMs), this.#context.random);
    return () => usable[scheduler.next()] as Child<Reports>;
  }

  refreshMs({ usable, config, nowMs }: View<WeightedRoundRobinConfig, Reports>): number | undefined {
    const warming = weightRefreshMs(usable, config, nowMs);
    if (config.source === "static") return warming;
    return Math.min(config.weightUpdatePeriodMs, warming ?? Number.POSITIVE_INFINITY);
  }

  onCallEnded({ load }: Child<Reports>, { metadata }: { metadata: Parameters<typeof readReport>[0] }): void {
    if (this.#config?.source !== "orca" || this.#config.enableOobLoadReport) return;
    const report = readReport(metadata);
    if (report) load.weight.report(report, this.#config, this.#context.clock.now());
  }

  onConnected(child: Child<Reports>, config: WeightedRoundRobinConfig): void {
    child.load.weight.reset();
    this.#watch(child, config);
  }

  onDisconnected({ load }: Child<Reports>): void {
    load.stream?.abort();
    load.stream = undefined;
  }

  #weights(usable: readonly Child<Reports>[], config: WeightedRoundRobinConfig, nowMs: number): Float64Array {
    const reported =
      config.source === "orca" ? fillWeights(usable.map(({ load }) => load.weight.at(nowMs, config))) : undefined;
    if (!reported) return weightsNow(usable, config, nowMs);
    const { slowStart } = config;
    if (!slowStart) return reported;
    return reported.map((weight, i) => weight * warmth(nowMs - (usable[i]?.readyAtMs ?? nowMs), slowStart));
  }

  /** Has the endpoint report in a stream, or no more, as the configuration says. */
  #watch(child: Child<Reports>, config: WeightedRoundRobinConfig): void {
    const { load, connected } = child;
    load.stream?.abort();
    load.stream = undefined;
    if (config.source !== "orca" || !config.enableOobLoadReport || !connected) return;
    const stream = new AbortController();
    load.stream = stream;
    const { clock } = this.#context;
    const { oobReportingPeriodMs: periodMs } = config;
    const onReport = (report: Parameters<LoadWeight["report"]>[0]) => load.weight.report(report, config, clock.now());
    void watchReports({ subchannel: connected, periodMs, clock, onReport }, stream.signal);
  }
}
