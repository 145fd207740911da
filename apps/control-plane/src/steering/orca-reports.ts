import { credentials, status } from "@grpc/grpc-js";
import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";
import type { EndpointLoad } from "./weight-steering.ts";

/** How to read the load reports of endpoints. */
export interface OrcaReportsOptions {
  /** How often an endpoint should report, in milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Called with each report. */
  onReport(id: string, load: EndpointLoad): void;
}

/** A report has a few numbers, and named ones that a server may add. */
const maxReportBytes = 64 * 1024;

/**
 * Reads the out-of-band load reports (gRFC A51) of a changing set of endpoints: a connection and a stream to each, in clear. A stream
 * that breaks is restarted after a backoff of 1 s to 2 min. An endpoint that answers UNIMPLEMENTED is not called again, until it
 * leaves and returns. A frozen endpoint is noticed by HTTP/2 pings.
 */
export class OrcaReports {
  readonly #options: OrcaReportsOptions;
  readonly #streams = new Map<string, { readonly endpoint: string; end(): Promise<void> }>();
  #isClosed = false;

  constructor(options: OrcaReportsOptions) {
    this.#options = options;
  }

  /** Reads the reports of these endpoints, and of no others. */
  update(endpoints: readonly Endpoint[]): void {
    if (this.#isClosed) return;
    const wanted = new Map(endpoints.map(({ id, addresses: [first] }) => [id, first && formatAddress(first)]));
    for (const [id, { endpoint, end }] of this.#streams) {
      if (wanted.get(id) === endpoint) continue;
      this.#streams.delete(id);
      void end();
    }
    for (const [id, address] of wanted) {
      if (address !== undefined && !this.#streams.has(id)) this.#streams.set(id, this.#start(id, address));
    }
  }

  /** Resolves when all connections are closed; after that, `onReport` is not called. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ending = [...this.#streams.values()].map(({ end }) => end());
    this.#streams.clear();
    await Promise.all(ending);
  }

  #start(id: string, address: string) {
    const ending = new AbortController();
    const ended = this.#read(id, address, ending.signal);
    const end = () => {
      ending.abort();
      return ended;
    };
    return { endpoint: address, end };
  }

  async #read(id: string, address: string, signal: AbortSignal): Promise<void> {
    const { intervalMs, clock, random, onReport } = this.#options;
    const client = new OpenRcaServiceClient(address, credentials.createInsecure(), {
      "grpc.enable_http_proxy": 0,
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      "grpc.max_receive_message_length": maxReportBytes,
      "grpc.service_config_disable_resolution": 1,
    });
    const backoff = createBackoff({ baseMs: 1_000, maxMs: 120_000, random });
    const reportInterval = { seconds: BigInt(Math.floor(intervalMs / 1_000)), nanos: (intervalMs % 1_000) * 1e6 };
    try {
      while (!signal.aborted) {
        const call = client.streamCoreMetrics({ reportInterval, requestCostNames: [] });
        const cancel = () => call.cancel();
        signal.addEventListener("abort", cancel);
        try {
          for await (const report of call) {
            backoff.reset();
            if (!signal.aborted) onReport(id, toLoad(report));
          }
        } catch (error) {
          if ((error as { code?: status }).code === status.UNIMPLEMENTED) return;
          // After any other error the last report counts until it is stale, and the stream is restarted.
        } finally {
          signal.removeEventListener("abort", cancel);
        }
        await clock.sleep(backoff.next(), signal, { background: true });
      }
    } finally {
      client.close();
    }
  }
}

/** gRFC A58: the utilization that the application reports, else that of the CPU. */
function toLoad({ rpsFractional, eps, applicationUtilization, cpuUtilization }: OrcaLoadReport): EndpointLoad {
  return {
    callsPerSecond: rpsFractional,
    errorsPerSecond: eps,
    utilization: applicationUtilization > 0 ? applicationUtilization : cpuUtilization,
  };
}
