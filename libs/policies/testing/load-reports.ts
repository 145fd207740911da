import { Metadata, type Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceService, type OrcaLoadReportRequest } from "@grpc-lb/protos/xds/service/orca/v3";

type Stream = ServerWritableStream<OrcaLoadReportRequest, OrcaLoadReport>;

/** The load reports of a server (gRFC A51): in trailers, or in streams. The test sends them. */
export class LoadReports {
  /** The trailers of responses. */
  trailer: Metadata | undefined;
  /** The requested reporting period of each stream so far, in milliseconds. */
  readonly periodsMs: number[] = [];
  readonly #open = new Set<Stream>();
  #refusal: status | undefined;

  addTo(server: Server): void {
    server.addService(OpenRcaServiceService, {
      streamCoreMetrics: (stream: Stream) => this.#start(stream),
    });
  }

  /** The number of open streams. */
  get open(): number {
    return this.#open.size;
  }

  /** Resolves when this many streams are open. */
  async opened(count: number): Promise<void> {
    await until(() => this.open === count, `${count} streams of reports, got ${this.open}`);
  }

  /** Reports with each response from now on. */
  withCalls(load: Partial<OrcaLoadReport>): void {
    this.trailer = new Metadata();
    this.trailer.set(
      "endpoint-load-metrics-bin",
      Buffer.from(OrcaLoadReport.encode(OrcaLoadReport.fromPartial(load)).finish()),
    );
  }

  /** Reports on all open streams. */
  send(load: Partial<OrcaLoadReport>): void {
    for (const stream of this.#open) stream.write(OrcaLoadReport.fromPartial(load));
  }

  /** Ends all streams with a status. */
  end(code: status): void {
    for (const stream of this.#open) stream.emit("error", { code, details: "ended by the test" });
  }

  /** Streams fail at once with a status, as of a server that does not implement reports; undefined ends that. */
  refuse(code: status | undefined = status.UNIMPLEMENTED): void {
    this.#refusal = code;
  }

  #start(stream: Stream): void {
    const { reportInterval } = stream.request;
    this.periodsMs.push(Number(reportInterval?.seconds ?? 0) * 1_000 + (reportInterval?.nanos ?? 0) / 1e6);
    if (this.#refusal !== undefined) {
      stream.emit("error", { code: this.#refusal, details: "refused" });
      return;
    }
    this.#open.add(stream);
    for (const event of ["cancelled", "finish", "close", "error"]) stream.once(event, () => this.#open.delete(stream));
  }
}
