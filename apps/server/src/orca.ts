import { Metadata, type ServerWritableStream } from "@grpc/grpc-js";
import { type Clock, maxDurationMs } from "@grpc-lb/core";
import { numberFlag, switchFlag } from "@grpc-lb/program";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import {
  type OpenRcaServiceServer,
  OpenRcaServiceService,
  type OrcaLoadReportRequest,
} from "@grpc-lb/protos/xds/service/orca/v3";
import type { LoadMeter } from "./load.ts";
import type { OpenStreams } from "./open-streams.ts";

/** The flags that say what a server tells of its load. */
export const loadReportFlags = {
  weight: numberFlag({
    help: "how many times the calls of the others it asks for: what it reports as utilization is divided by it",
    default: 1,
    above: 0,
  }),
  // Off, because calls as short as GetPod become 4 to 6 % fewer a second by it.
  loadReport: switchFlag({ help: "report its load with each gRPC answer and to who asks for it (ORCA)" }),
};

/** The trailing metadata that carries a report. */
const trailerKey = "endpoint-load-metrics-bin";

/** How long a report goes out with answers before the next is made: of what it tells of, a second, a twentieth. */
const renewMs = 50;

/**
 * The least time between two reports of a stream, and what stands in for none: A51 wants both to be one number. Its own is
 * 30 s and may be configured; here a change shows while one looks on.
 */
const minIntervalMs = 1_000;

/**
 * What a server tells of its load, by ORCA (gRFC A51): with each answer, and out of band to who asks for it. grpc-js has the
 * same, but reads .proto files when it runs, which a bundle does not have beside it.
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

  /** The trailing metadata of an answer. It may be shared with other answers: who wants to add to it clones it. */
  trailer(): Metadata {
    const now = this.#clock.now();
    // What is made once is not measured and encoded for each call; while it lasts, HPACK need not send it in full again.
    if (now - this.#trailerMadeAtMs >= renewMs) {
      this.#trailer = new Metadata();
      this.#trailer.set(trailerKey, Buffer.from(OrcaLoadReport.encode(this.#report()).finish()));
      this.#trailerMadeAtMs = now;
    }
    return this.#trailer;
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
      // What a client does not read is not piled up: it gets a fresh report when it reads again.
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

/** The time between two reports that a client asks for, as far as it may. */
function reportIntervalMs({ reportInterval }: OrcaLoadReportRequest): number {
  const askedMs = reportInterval ? Number(reportInterval.seconds) * 1_000 + reportInterval.nanos / 1e6 : 0;
  return Math.min(Math.max(askedMs, minIntervalMs), maxDurationMs);
}
