import { type Clock, formatDuration, messageOf, printableLine, redactAddress, systemClock } from "@grpc-lb/core";
import { context, propagation, type Tracer, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { cutExports } from "./cut-exports.ts";
import type { ResourceAttributes } from "./resource.ts";

/** Where the spans of a process go. */
export interface TracesOptions {
  /** Of a collector: the spans go to `<endpoint>/v1/traces`. */
  readonly endpoint: URL;
  /** Which share of the traces that begin here is recorded, 0 to 1. What a caller has decided holds. */
  readonly sampling: number;
  readonly resource: ResourceAttributes;
  /** Receives one line when the collector fails, and one when it takes spans again. */
  readonly report: (line: string) => void;
  readonly clock?: Clock;
}

/** The traces of a process. */
export interface Traces {
  readonly tracer: Tracer;
  /** The trace and span that are active now. */
  active(): { readonly traceId: string; readonly spanId: string } | undefined;
  /** Sends the spans that wait, for at most two seconds, and ends tracing. */
  close(): Promise<void>;
}

/** Bounds of what waits for the collector: with more, spans are dropped, and calls never wait. */
const queue = { maxQueueSize: 2_048, maxExportBatchSize: 512, scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000 };
const closeMs = 2_000;

/**
 * Starts OpenTelemetry's SDK for traces: sets the process's context manager, propagator (W3C `traceparent`) and tracer provider, and exports in
 * batches by OTLP over HTTP. `OTEL_EXPORTER_OTLP_HEADERS` and the other variables of the exporter hold, as for credentials of the collector.
 */
export function startTraces(options: TracesOptions): Traces {
  const { endpoint, sampling, resource, report, clock = systemClock } = options;
  const url = `${endpoint.href.replace(/\/$/, "")}/v1/traces`;
  const shown = redactAddress(url);
  let isReporting = true;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: queue.exportTimeoutMillis, concurrencyLimit: 4 });
  const cutting = new AbortController();
  cutExports(exporter, cutting.signal);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(resource),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampling) }),
    spanProcessors: [
      new BatchSpanProcessor(
        reportChanges(exporter, shown, (line) => isReporting && report(line)),
        queue,
      ),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return {
    tracer: provider.getTracer("@grpc-lb/operations"),
    active() {
      const span = trace.getActiveSpan()?.spanContext();
      return span && { traceId: span.traceId, spanId: span.spanId };
    },
    async close() {
      const ended = new AbortController();
      const flushed = provider.shutdown().catch(() => {}); // the exporter has reported it
      const late = clock.sleep(closeMs, ended.signal).then(() => "late" as const);
      const outcome = await Promise.race([flushed, late]);
      ended.abort();
      isReporting = false; // what is cut now
      cutting.abort();
      if (outcome === "late")
        report(`traces: the last spans have not reached ${shown} within ${formatDuration(closeMs)}`);
      for (const api of [trace, context, propagation]) api.disable();
    },
  };
}

/** Reports a collector that fails once, and not for each batch. */
function reportChanges(exporter: SpanExporter, url: string, report: (line: string) => unknown): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.error !== undefined;
        if (hasFailed && !isFailing) {
          report(
            `traces: cannot export to ${url}: ${printableLine(messageOf(result.error))}; spans are dropped until it answers`,
          );
        } else if (!hasFailed && isFailing) report(`traces: ${url} takes spans again`);
        isFailing = hasFailed;
        done(result);
      });
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
