import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { durationOptions, knownMethod } from "./http-conventions.ts";
import type { Instruments } from "./telemetry.ts";

/** Probes come all the time, and a span for each says nothing. */
const probes: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/**
 * Measures and traces the requests of a fastify server, by OpenTelemetry's conventions for HTTP: `http.server.request.duration` by method,
 * route and status, and a span for each request but the probes, below that of its client (`traceparent`) and active in the handler. To be
 * called before the routes are added. A request that ends before its answer has `error.type` `aborted` and no status.
 */
export function instrumentHttpServer(
  app: FastifyInstance,
  { meter, tracer }: Instruments,
  isServing: () => boolean,
): void {
  const duration = meter?.createHistogram("http.server.request.duration", durationOptions("server"));
  const startSpan = (request: FastifyRequest, attributes: Attributes) => {
    const route = request.routeOptions.url;
    if (!tracer || probes.has(route ?? "")) return undefined;
    const parent = propagation.extract(context.active(), request.headers);
    const name = route === undefined ? String(attributes["http.request.method"]) : `${request.method} ${route}`;
    const path = { "url.path": request.url.replace(/[?#].*/s, "").slice(0, 300) };
    const peer = { "network.peer.address": request.raw.socket.remoteAddress ?? "" };
    const span = tracer.startSpan(
      name,
      { kind: SpanKind.SERVER, attributes: { ...attributes, ...path, ...peer } },
      parent,
    );
    return { span, context: trace.setSpan(parent, span) };
  };
  app.addHook("onRequest", (request, reply, done) => {
    if (!isServing()) return done();
    const began = performance.now();
    const attributes = attributesOf(request);
    const traced = startSpan(request, attributes);
    reply.raw.once("close", () => {
      const outcome = outcomeOf(reply);
      duration?.record((performance.now() - began) / 1_000, { ...attributes, ...outcome });
      if (traced) endSpan(traced.span, outcome);
    });
    if (traced) context.with(traced.context, done);
    else done();
  });
}

function attributesOf(request: FastifyRequest): Attributes {
  const route = request.routeOptions.url;
  return {
    "http.request.method": knownMethod(request.method),
    "url.scheme": request.protocol,
    ...(route !== undefined && { "http.route": route }),
  };
}

function outcomeOf({ raw }: FastifyReply): Attributes {
  if (!raw.writableFinished) return { "error.type": "aborted" };
  const isError = raw.statusCode >= 500;
  return { "http.response.status_code": raw.statusCode, ...(isError && { "error.type": String(raw.statusCode) }) };
}

function endSpan(span: Span, outcome: Attributes): void {
  span.setAttributes(outcome);
  if (outcome["error.type"] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
