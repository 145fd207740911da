import type { Metadata } from "@grpc/grpc-js";

/** Reads the trace id of the W3C header `traceparent` (https://www.w3.org/TR/trace-context/); undefined without a valid one. */
export function readTraceId(metadata: Metadata): string | undefined {
  const [value] = metadata.get("traceparent");
  if (typeof value !== "string") return undefined;
  const [, version, traceId] = /^([0-9a-f]{2})-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(value) ?? [];
  return version === "ff" || traceId === undefined || /^0+$/.test(traceId) ? undefined : traceId;
}
