import { type Interceptor, type Metadata, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Attempt } from "../attempts/attempt.ts";
import { type AttemptListener, observeAttempts } from "../attempts/observe-attempts.ts";
import { WatchedClientCall } from "../call/client-call.ts";
import { methodAttributes, peerAttributes, setStatus } from "./attributes.ts";

/** What is known of an endpoint: an `Endpoint` of `@grpc-lb/resolver` is one. */
export interface TracedEndpoint {
  readonly zone?: string | undefined;
  readonly nodeName?: string | undefined;
  /** `podName` is that of its pod. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** How the calls of clients are traced. */
export interface ClientTracingOptions {
  /** Creates the spans. Default: a tracer of OpenTelemetry's global provider. */
  readonly tracer?: Tracer | undefined;
  /**
   * Finds the endpoint of a connection, by its address, for the pod's name in the spans: `findEndpoint` of what `registerResolvers` of
   * `@grpc-lb/resolver` returns. Default: none.
   */
  readonly findEndpoint?: ((peer: string) => TracedEndpoint | undefined) | undefined;
}

const rules: OptionRules = { tracer: "object", findEndpoint: "function" };

const headers: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };

/**
 * Creates a client interceptor with a span for each call, and in it one for each attempt, with the attributes of OpenTelemetry's
 * conventions for RPC; the server gets the attempt's span as its parent, by OpenTelemetry's propagator (W3C `traceparent` by default).
 * The endpoint is `network.peer.address` and `network.peer.port`, and with `findEndpoint` `k8s.pod.name`, `k8s.node.name` and
 * `cloud.availability_zone`. A call that is not sampled has no spans of attempts.
 *
 * @throws TypeError for options of another type or name
 */
export function createClientTracing(options: ClientTracingOptions = {}): Interceptor {
  checkOptions("createClientTracing", options, rules);
  const { tracer = trace.getTracer("@grpc-lb/interceptors"), findEndpoint } = options;
  const describePeer = (peer: string | undefined): Attributes => {
    const attributes = peerAttributes(peer);
    if (!findEndpoint || peer === undefined) return attributes;
    return { ...attributes, ...endpointAttributes(findEndpoint(peer)) };
  };
  const attributesOf = createAttributes();
  return (callOptions, nextCall) => {
    const { path } = callOptions.method_definition;
    let spans: Map<Attempt, Span> | undefined; // of a call that is sampled
    let call: { readonly span: Span; readonly context: Context } | undefined;
    const listener: AttemptListener = {
      onStart: (attempt) => {
        if (!call?.span.isRecording()) return;
        const attributes: Attributes = { ...methodAttributes(path), "previous-rpc-attempts": attempt.number };
        spans ??= new Map();
        spans.set(attempt, tracer.startSpan(`Attempt.${path.slice(1)}`, { attributes }, call.context));
      },
      addMetadata: (attempt, metadata) => {
        if (!call) return;
        const span = spans?.get(attempt);
        propagation.inject(span ? trace.setSpan(call.context, span) : call.context, metadata, headers);
      },
      onEnd: (attempt, code) => {
        const span = spans?.get(attempt);
        if (!span) return;
        const endpoint = describePeer(attempt.peer);
        span.setAttributes(endpoint);
        call?.span.setAttributes(endpoint); // of the last one
        setStatus(span, code, code !== status.OK);
        span.end(attempt.endedMs);
      },
    };
    const { observed, options } = observeAttempts(callOptions, listener);
    const next = nextCall(options);
    return new WatchedClientCall(next, {
      onStart: (metadata) => {
        const target = next.getPeer(); // of a call that has not started
        const attributes = attributesOf(path, target);
        const parent = context.active();
        const span = tracer.startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes }, parent);
        call = { span, context: trace.setSpan(parent, span) };
        removeHeaders(metadata);
        observed.start(listener);
      },
      run: (start) => (call ? context.with(call.context, start) : start()),
      onEnd: ({ code, details }) => {
        observed.end(code);
        if (!call?.span.isRecording()) return;
        setStatus(call.span, code, code !== status.OK, details);
        call.span.end();
      },
    });
  };
}

/** The attributes with which the span of a call starts: those of a method and a target are made once. */
function createAttributes(): (path: string, target: string) => Attributes {
  const byTarget = new Map<string, Map<string, Attributes>>();
  return (path, target) => {
    let byPath = byTarget.get(target);
    if (!byPath) {
      byPath = new Map();
      byTarget.set(target, byPath);
    }
    let attributes = byPath.get(path);
    if (!attributes) {
      attributes = { ...methodAttributes(path), "server.address": target };
      byPath.set(path, attributes);
    }
    return attributes;
  };
}

/** Those of a caller would be there twice: each attempt has its own. */
function removeHeaders(metadata: Metadata): void {
  for (const field of propagation.fields()) metadata.remove(field);
}

function endpointAttributes(endpoint: TracedEndpoint | undefined): Attributes {
  const podName = endpoint?.metadata.podName;
  return {
    ...(typeof podName === "string" && { "k8s.pod.name": podName }),
    ...(endpoint?.nodeName !== undefined && { "k8s.node.name": endpoint.nodeName }),
    ...(endpoint?.zone !== undefined && { "cloud.availability_zone": endpoint.zone }),
  };
}
