import { isSpanContextValid, trace } from "@opentelemetry/api";

/** The trace id of the span that is active, for the option `traceId` of logs; undefined without one. */
export function activeTraceId(): string | undefined {
  const found = trace.getActiveSpan()?.spanContext();
  return found && isSpanContextValid(found) ? found.traceId : undefined;
}
