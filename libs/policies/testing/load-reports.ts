import { Metadata, type Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceService, type OrcaLoadReportRequest } from "@grpc-lb/protos/xds/service/orca/v3";

type Stream = ServerWritableStream<OrcaLoadReportRequest, OrcaLoadReport>;

/** What a server tells of its load (gRFC A51): with each answer, or in streams when the test says so. */
export class LoadReports {
  /** What goes out with answers. */
  trailer: Metadata | undefined;
  /** How often reports were asked for, in milliseconds: an entry for each stream that has ever begun. */
  readonly periodsMs: number[] = [];
  readonly #open = new Set<Stream>();
  #refusal: status | undefined;

  addTo(server: Server): void {
    server.addService(OpenRcaServiceService, {
      streamCoreMetrics: (stream: Stream) => this.#begin(stream),
    });
  }

  /** How many there are now. */
  get open(): number {
    return this.#open.size;
  }

  /** Resolves when so many are open. */
  async opened(count: number): Promise<void> {
    await until(() => this.open === count, `${count} streams of reports, where there are ${this.open}`);
  }

  /** Reports with each answer from now on. */
  withCalls(load: Partial<OrcaLoadReport>): void {
    this.trailer = new Metadata();
    this.trailer.set(
      "endpoint-load-metrics-bin",
      Buffer.from(OrcaLoadReport.encode(OrcaLoadReport.fromPartial(load)).finish()),
    );
  }

  /** Reports to all who listen. */
  send(load: Partial<OrcaLoadReport>): void {
    for (const stream of this.#open) stream.write(OrcaLoadReport.fromPartial(load));
  }

  /** Ends all of them with a status. */
  end(code: status): void {
    for (const stream of this.#open) stream.emit("error", { code, details: "as the test has it" });
  }

  /** Streams fail at once with a status, as of a server that knows no reports; undefined: no more. */
  refuse(code: status | undefined = status.UNIMPLEMENTED): void {
    this.#refusal = code;
  }

  #begin(stream: Stream): void {
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
