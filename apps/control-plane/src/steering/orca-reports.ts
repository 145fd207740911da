import { type Clock, createBackoff, maxDurationMs, type Random } from "@grpc-lb/core";
import { type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { type OrcaChannel, readOrcaStream } from "./orca-stream.ts";
import type { EndpointLoad } from "./weight-steering.ts";

/** How to read the load reports of endpoints. */
export interface OrcaReportsOptions extends OrcaChannel {
  /** How often an endpoint should report, in milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Called with each report. */
  onReport(id: string, load: EndpointLoad): void;
}

/**
 * Reads the out-of-band load reports (gRFC A51) of a changing set of endpoints: a connection and a stream to each. A stream that
 * breaks is restarted after a backoff of 1 s to 2 min, by another connection. An endpoint that answers UNIMPLEMENTED is not called again,
 * until it leaves and returns. A frozen endpoint is noticed when it does not connect in 5 s, and later by HTTP/2 pings.
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
    const { clock, random, onReport } = this.#options;
    const backoff = createBackoff({ baseMs: 1_000, maxMs: 120_000, random });
    let failures = 0; // in a row
    const onNext = (report: OrcaLoadReport) => {
      backoff.reset();
      failures = 0;
      this.#problems.delete(id);
      onReport(id, toLoad(report));
    };
    while (!signal.aborted) {
      const { reason, isUnimplemented } = await readOrcaStream({ ...this.#options, address, onReport: onNext }, signal);
      if (signal.aborted) break;
      failures += 1;
      // An endpoint that ends fails once, and has left before it fails again. Its last report counts until it is stale.
      if (failures > 1 || isUnimplemented) this.#problems.set(id, `${address}: ${reason}`);
      await clock.sleep(isUnimplemented ? maxDurationMs : backoff.next(), signal, { background: true });
      if (isUnimplemented) break;
    }
    this.#problems.delete(id);
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
