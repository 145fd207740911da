import type { Agent } from "node:http";
import { systemClock } from "@grpc-lb/core";
import type { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";

interface ExportResult {
  readonly status: "failure";
  readonly error: Error;
}

/** Private members of @opentelemetry/otlp-exporter-base 0.223: the retries of an export, and the connections below. */
interface Internals {
  readonly _delegate: {
    readonly _transport: {
      retry(data: Uint8Array, timeoutMs: number, inMs: number): Promise<unknown>;
      readonly _transport: {
        send(data: Uint8Array, timeoutMs: number): Promise<unknown>;
        readonly _utils: { readonly agent: Agent } | null;
      };
    };
  };
}

/**
 * Makes the exports of an exporter end when `signal` is aborted: the exporter itself waits for the collector, and between its retries, for
 * as long as its timeout, and its timers keep the process alive.
 */
export function cutExports(exporter: OTLPTraceExporter, signal: AbortSignal): void {
  const { _transport: retrying } = (exporter as unknown as Internals)._delegate;
  const { _transport: transport } = retrying;
  signal.addEventListener("abort", () => transport._utils?.agent.destroy(), { once: true });
  retrying.retry = async (data, timeoutMs, inMs) => {
    await systemClock.sleep(inMs, signal);
    if (!signal.aborted) return transport.send(data, timeoutMs);
    return { status: "failure", error: new Error("the program ends") } satisfies ExportResult;
  };
}
