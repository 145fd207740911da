import { messageOf, printableLine } from "@grpc-lb/core";
import { type Attributes, context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { durationOptions } from "./http-conventions.ts";
import type { Instruments, ObserveRequest } from "./telemetry.ts";

/**
 * Measures and traces requests, by OpenTelemetry's conventions for HTTP: `http.client.request.duration` by method, server and status, and a
 * client span. What `send` throws is an error, and is thrown again.
 */
export function createRequestObserver({ meter, tracer }: Instruments): ObserveRequest {
  const duration = meter?.createHistogram("http.client.request.duration", durationOptions("client"));
  return async ({ method, url }, send) => {
    const began = performance.now();
    const attributes: Attributes = {
      "http.request.method": method,
      "server.address": url.hostname,
      "server.port": Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    };
    const parent = context.active();
    const full = { "url.full": `${url.origin}${url.pathname}` };
    const span = tracer?.startSpan(method, { kind: SpanKind.CLIENT, attributes: { ...attributes, ...full } }, parent);
    const active = span ? trace.setSpan(parent, span) : parent;
    const headers: Record<string, string> = {};
    if (span) propagation.inject(active, headers);
    const outcome: Attributes = {};
    const answered = (status: number) => {
      outcome["http.response.status_code"] = status;
    };
    try {
      return await context.with(active, () => send({ headers, answered }));
    } catch (error) {
      const status = outcome["http.response.status_code"];
      outcome["error.type"] = status === undefined || status === 200 ? "failed" : String(status);
      span?.setStatus({ code: SpanStatusCode.ERROR, message: printableLine(messageOf(error), 300) });
      throw error;
    } finally {
      duration?.record((performance.now() - began) / 1_000, { ...attributes, ...outcome });
      span?.setAttributes(outcome).end();
    }
  };
}
