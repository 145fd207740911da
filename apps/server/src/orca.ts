import { Metadata, type ServerWritableStream } from "@grpc/grpc-js";
import { type Clock, maxDurationMs } from "@grpc-lb/core";
import { maxWeight } from "@grpc-lb/discovery";
import { numberFlag, switchFlag } from "@grpc-lb/program";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import {
  type OpenRcaServiceServer,
  OpenRcaServiceService,
  type OrcaLoadReportRequest,
} from "@grpc-lb/protos/xds/service/orca/v3";
import type { LoadMeter } from "./load.ts";
import type { OpenStreams } from "./open-streams.ts";

/** The flags of load reports. */
export const loadReportFlags = {
  weight: numberFlag({
    help: "how many times the calls of the others it wants: its reported utilization is divided by it",
    default: 1,
    above: 0,
    max: maxWeight,
  }),
  // Off by default: with calls as short as GetPod it costs 4 to 6 % of the calls per second.
  loadReport: switchFlag({ help: "report the load with each gRPC answer and to clients that subscribe (ORCA)" }),
};

/** The trailing metadata that carries a report. */
const trailerKey = "endpoint-load-metrics-bin";

/** How long answers carry the same report: a twentieth of the second that it covers. */
const renewMs = 50;

/**
 * The minimum interval of a stream, and the interval of a request without one. gRFC A51 wants one number for both: 30 s by
 * default, configurable. It is shorter here, so that a change shows while a user watches.
 */
const minIntervalMs = 1_000;

/**
 * Reports the load of a server by ORCA (gRFC A51): with each answer, and out of band. grpc-js can do the same, but it loads
 * .proto files at run time, which a bundle does not have.
 */
export class LoadReports {
  readonly #meter: LoadMeter;
  readonly #clock: Clock;
  #trailer = new Metadata();
  #trailerMadeAtMs = Number.NEGATIVE_INFINITY;

  constructor(meter: LoadMeter, clock: Clock) {
    this.#meter = meter;
    this.#clock = clock;
  }

  /** Returns the trailing metadata of an answer. Answers share it: clone it to add to it. */
  trailer(): Metadata {
    const now = this.#clock.now();
    // Measured and encoded once for many calls, and HPACK can refer to the previous one.
    if (now - this.#trailerMadeAtMs >= renewMs) {
      this.#trailer = new Metadata();
      this.#trailer.set(trailerKey, Buffer.from(OrcaLoadReport.encode(this.#report()).finish()));
      this.#trailerMadeAtMs = now;
    }
    return this.#trailer;
  }

  /** The next answer carries a new report. */
  renew(): void {
    this.#trailerMadeAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Adds OpenRcaService. Its streams end with their client, or with `streams`. */
  addToServer(streams: OpenStreams): void {
    const service: OpenRcaServiceServer = { streamCoreMetrics: (call) => void this.#stream(call) };
    streams.addService(OpenRcaServiceService, service);
  }

  async #stream(call: ServerWritableStream<OrcaLoadReportRequest, OrcaLoadReport>): Promise<void> {
    const ended = new AbortController();
    for (const event of ["finish", "cancelled", "close"] as const) call.once(event, () => ended.abort());
    const intervalMs = reportIntervalMs(call.request);
    while (!ended.signal.aborted) {
      // A client that does not read gets no more reports into its buffer; when it reads again, it gets a new one.
      if (!call.writableNeedDrain) call.write(this.#report());
      await this.#clock.sleep(intervalMs, ended.signal, { background: true });
    }
  }

  #report(): OrcaLoadReport {
    const load = this.#meter.read();
    return OrcaLoadReport.fromPartial({
      rpsFractional: load.callsPerSecond,
      eps: load.errorsPerSecond,
      cpuUtilization: load.cpuUtilization,
      applicationUtilization: load.applicationUtilization,
    });
  }
}

/** The interval that a client requests, within the limits. */
function reportIntervalMs({ reportInterval }: OrcaLoadReportRequest): number {
  const requestedMs = reportInterval ? Number(reportInterval.seconds) * 1_000 + reportInterval.nanos / 1e6 : 0;
  return Math.min(Math.max(requestedMs, minIntervalMs), maxDurationMs);
}
