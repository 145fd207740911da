import { type ChannelCredentials, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { type Clock, createBackoff, maxDurationMs, printableLine, type Random } from "@grpc-lb/core";
import { type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";
import type { EndpointLoad } from "./weight-steering.ts";

/** How to connect to endpoints for their load reports. */
export interface OrcaChannel {
  /** Default: in clear. */
  readonly credentials?: ChannelCredentials | undefined;
  /** The name that the certificates of the endpoints must have. Default: their address. */
  readonly serverName?: string | undefined;
}

/** How to read the load reports of endpoints. */
export interface OrcaReportsOptions extends OrcaChannel {
  /** How often an endpoint should report, in milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Called with each report. */
  onReport(id: string, load: EndpointLoad): void;
}

/** A report has a few numbers, and named ones that a server may add. */
const maxReportBytes = 64 * 1024;
/** Of what an endpoint answers, in characters. */
const maxReasonLength = 200;

/**
 * Reads the out-of-band load reports (gRFC A51) of a changing set of endpoints: a connection and a stream to each. A stream that
 * breaks is restarted after a backoff of 1 s to 2 min. An endpoint that answers UNIMPLEMENTED is not called again, until it leaves
 * and returns. A frozen endpoint is noticed by HTTP/2 pings.
 */
export class OrcaReports {
  readonly #options: OrcaReportsOptions;
  readonly #streams = new Map<string, { readonly endpoint: string; end(): Promise<void> }>();
  /** Of endpoints that have left, until their connections are closed. */
  readonly #ending = new Set<Promise<void>>();
  /** By id: why an endpoint does not report. */
  readonly #problems = new Map<string, string>();
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
      const ended: Promise<void> = end().finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
    }
    for (const [id, address] of wanted) {
      if (address !== undefined && !this.#streams.has(id)) this.#streams.set(id, this.#start(id, address));
    }
  }

  /** How many endpoints do not report, and why the first of them does not; undefined if all do, or have not failed twice. */
  get problem(): { readonly count: number; readonly reason: string } | undefined {
    const [reason] = this.#problems.values();
    return reason === undefined ? undefined : { count: this.#problems.size, reason };
  }

  /** Resolves when all connections are closed; after that, `onReport` is not called. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ending = [...this.#streams.values()].map(({ end }) => end());
    this.#streams.clear();
    await Promise.all([...ending, ...this.#ending]);
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
    const { intervalMs, clock, random, onReport, serverName } = this.#options;
    const client = new OpenRcaServiceClient(address, this.#options.credentials ?? credentials.createInsecure(), {
      ...(serverName && { "grpc.ssl_target_name_override": serverName }),
      "grpc.enable_http_proxy": 0,
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      "grpc.max_receive_message_length": maxReportBytes,
      "grpc.service_config_disable_resolution": 1,
    });
    const backoff = createBackoff({ baseMs: 1_000, maxMs: 120_000, random });
    const reportInterval = { seconds: BigInt(Math.floor(intervalMs / 1_000)), nanos: (intervalMs % 1_000) * 1e6 };
    let failures = 0; // in a row
    try {
      while (!signal.aborted) {
        const call = client.streamCoreMetrics({ reportInterval, requestCostNames: [] });
        const cancel = () => call.cancel();
        signal.addEventListener("abort", cancel);
        let failure: string;
        let isLast = false;
        try {
          for await (const report of call) {
            backoff.reset();
            failures = 0;
            this.#problems.delete(id);
            if (!signal.aborted) onReport(id, toLoad(report));
          }
          failure = "it ended the stream";
        } catch (error) {
          const { code = status.UNKNOWN, details = "" } = error as Partial<ServiceError>;
          failure = printableLine(`${status[code]}: ${details}`, maxReasonLength);
          isLast = code === status.UNIMPLEMENTED;
        } finally {
          signal.removeEventListener("abort", cancel);
        }
        if (signal.aborted) return;
        failures += 1;
        // An endpoint that ends fails once, and has left before it fails again. Its last report counts until it is stale.
        if (failures > 1 || isLast) this.#problems.set(id, `${address}: ${failure}`);
        if (isLast) client.close();
        await clock.sleep(isLast ? maxDurationMs : backoff.next(), signal, { background: true });
        if (isLast) return;
      }
    } finally {
      this.#problems.delete(id);
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
