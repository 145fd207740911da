import { isSpanContextValid, type SpanContext, trace } from "@opentelemetry/api";

/** The trace id of the span that is active, for the option `traceId` of logs; undefined without one. */
export const activeTraceId = (): string | undefined => activeSpan()?.traceId;

/** The id of that span, for the option `spanId`. */
export const activeSpanId = (): string | undefined => activeSpan()?.spanId;

function activeSpan(): SpanContext | undefined {
  const found = trace.getActiveSpan()?.spanContext();
  return found && isSpanContextValid(found) ? found : undefined;
}
